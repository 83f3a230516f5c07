import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { libc } from './native.ts';
import { openPosix } from './posix-open.ts';
import { NativeXattrs } from './posix-xattrs.ts';
import { inFolder, withCode } from './testing/posix-folder.ts';

const { O_RDWR, O_CREAT } = fs.constants;
const native = openPosix();

test('makes FIFOs and device nodes', () =>
  inFolder(native, (at, path) => {
    native.makeSpecial(at('fifo'), 'fifo', 0o600, 0n);
    assert(fs.lstatSync(join(path, 'fifo')).isFIFO());
    for (const [name, type, [major, minor]] of [
      ['null', 'chardev', [1, 3]],
      ['loop', 'dev', [7, 300]],
      ['large', 'dev', [4000, 300_000]],
    ] as const) {
      execFileSync('mknod', [
        join(path, `${name}-wanted`),
        type === 'dev' ? 'b' : 'c',
        `${major}`,
        `${minor}`,
      ]);
      const { device } = native.stat(at(`${name}-wanted`))!;
      native.makeSpecial(at(name), type, 0o640, device!);
      assert.equal(fs.lstatSync(join(path, name)).rdev, fs.lstatSync(join(path, `${name}-wanted`)).rdev);
      assert.equal(native.stat(at(name))!.type, type);
    }
    assert.throws(() => native.makeSpecial(at('fifo'), 'fifo', 0o600, 0n), withCode('EEXIST'));
  }));

test('reads extended attributes where the kernel does not know listxattrat, and tells its real errors', () =>
  inFolder(native, (at, path) => {
    fs.writeFileSync(join(path, 'file'), '');
    native.setXattr(at('file'), { name: 'user.note', value: Buffer.from('x') });
    const calls = { at: 0, errno: 38 };
    const system = libc()!;
    const old = new NativeXattrs({
      ...system,
      syscall: () => -1n - BigInt(calls.at++),
      errno: () => calls.errno,
    });
    for (const _ of [1, 2])
      assert.deepEqual(
        old.read(at('file')).map(({ name }) => name),
        ['user.note'],
      );
    assert.equal(calls.at, 1, 'an absent call is asked for once');
    const failing = new NativeXattrs({ ...system, syscall: () => -1n, errno: () => 13 });
    assert.throws(() => failing.read(at('file')), withCode('EACCES'));
    assert.throws(() => native.readXattrs(at('absent')), withCode('ENOENT'));
  }));

test('sets, reads and removes extended attributes of files, folders and links', () =>
  inFolder(native, (at, path) => {
    fs.writeFileSync(join(path, 'file'), '');
    fs.mkdirSync(join(path, 'dir'));
    fs.symlinkSync('file', join(path, 'link'));
    const value = Buffer.from([0, 1, 255, 0]);
    native.setXattr(at('file'), { name: 'user.note', value });
    native.setXattr(at('file'), { name: 'user.empty', value: new Uint8Array(0) });
    native.setXattr(at('dir'), { name: 'user.größe', value: Buffer.from('x') });
    native.setXattr(at('link'), { name: 'trusted.link', value });
    const read = (name: string) =>
      native
        .readXattrs(at(name))
        .map((one) => [one.name, Buffer.from(one.value).toString('hex')])
        .sort();
    assert.deepEqual(read('file'), [
      ['user.empty', ''],
      ['user.note', '0001ff00'],
    ]);
    assert.deepEqual(read('dir'), [['user.größe', '78']]);
    assert.deepEqual(read('link'), [['trusted.link', '0001ff00']]);
    const shown = execFileSync('getfattr', ['-n', 'user.note', '-e', 'hex', 'file'], {
      cwd: path,
      encoding: 'utf8',
    });
    assert(shown.includes('user.note=0x0001ff00'));
    const fd = native.openFile(at('file'), O_RDWR);
    native.removeXattr(fd, 'user.note');
    native.removeXattr(fd, 'user.note');
    native.setXattr(fd, { name: 'user.open', value });
    assert.deepEqual(
      native
        .readXattrs(fd)
        .map(({ name }) => name)
        .sort(),
      ['user.empty', 'user.open'],
    );
    native.close(fd);
    assert.throws(() => native.setXattr(at('link'), { name: 'user.x', value }), withCode('EPERM'));
    assert.throws(() => native.setXattr(at('file'), { name: 'nonsense', value }), withCode('ENOTSUP'));
    assert.throws(() => native.readXattrs(at('absent')), withCode('ENOENT'));
    const tooLarge = { name: 'user.large', value: new Uint8Array(65 * 1024) };
    assert.throws(() => native.setXattr(at('file'), tooLarge), withCode('E2BIG'));
  }));

test('access control lists are extended attributes', () =>
  inFolder(native, (at, path) => {
    fs.writeFileSync(join(path, 'from'), '');
    fs.writeFileSync(join(path, 'to'), '');
    execFileSync('setfacl', ['-m', 'u:1234:rw,g:5678:r', join(path, 'from')]);
    for (const attribute of native.readXattrs(at('from'))) native.setXattr(at('to'), attribute);
    const listOf = (name: string) => execFileSync('getfacl', ['-cp', join(path, name)], { encoding: 'utf8' });
    assert(listOf('to').includes('user:1234:rw-'));
    assert.equal(listOf('to'), listOf('from'));
  }));

test('reserves room, finds data and makes holes', () =>
  inFolder(native, (at, path) => {
    const MiB = 1024 * 1024;
    const fd = native.openFile(at('file'), O_RDWR | O_CREAT);
    native.allocate(fd, 4 * MiB);
    assert.equal(fs.fstatSync(fd).size, 0);
    assert(fs.fstatSync(fd).blocks * 512 >= 4 * MiB);
    fs.writeSync(fd, Buffer.alloc(4 * MiB, 1), 0, 4 * MiB, 0);
    assert.equal(native.punchHole(fd, MiB, 2 * MiB), true);
    assert(fs.fstatSync(fd).blocks * 512 <= 2 * MiB + 64 * 1024);
    assert.deepEqual(native.findData(fd, 0), { start: 0, end: MiB });
    assert.deepEqual(native.findData(fd, MiB), { start: 3 * MiB, end: 4 * MiB });
    assert.equal(native.findData(fd, 4 * MiB), undefined);
    const content = fs.readFileSync(join(path, 'file'));
    assert.deepEqual([content[MiB - 1], content[MiB], content[3 * MiB - 1], content[3 * MiB]], [1, 0, 0, 1]);
    native.close(fd);
  }));

test('knows the names of accounts', () => {
  const folder = native.openFolder('/');
  const { user, group } = native.stat(folder)!;
  assert.deepEqual([user, group], ['root', 'root']);
  native.close(folder);
  inFolder(native, (at, path) => {
    fs.writeFileSync(join(path, 'file'), '');
    fs.chownSync(join(path, 'file'), 54_321, 54_321);
    const { user: unknown } = native.stat(at('file'))!;
    assert.equal(unknown, '');
  });
});
