import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { openPosix } from './posix-open.ts';
import { inFolder, withCode } from './testing/posix-folder.ts';

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NONBLOCK } = fs.constants;
const root = fs.mkdtempSync(join(tmpdir(), 'holdfast-posix-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));

const native = openPosix();
const portable = openPosix({ portable: true });
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

test('the native calls can everything, and the portable ones say what they cannot', () => {
  assert.deepEqual(native.capabilities, {
    confined: true,
    exactTimes: true,
    extendedAttributes: true,
    specialFiles: true,
    holes: true,
    accountNames: true,
  });
  assert.deepEqual(portable.capabilities, {
    confined: true,
    exactTimes: false,
    extendedAttributes: false,
    specialFiles: false,
    holes: false,
    accountNames: false,
  });
});

test('HOLDFAST_PORTABLE_POSIX=1 selects the portable calls', () => {
  const script = `import { openPosix } from ${JSON.stringify(import.meta.resolve('./posix-open.ts'))};
    process.stdout.write(String(openPosix().capabilities.exactTimes));`;
  const run = (value: string) =>
    execFileSync(process.execPath, [...process.execArgv, '--input-type=module', '-e', script], {
      env: { ...process.env, HOLDFAST_PORTABLE_POSIX: value },
      encoding: 'utf8',
    });
  assert.equal(run('1'), 'false');
  assert.equal(run(''), 'true');
});

for (const [kind, posix, toleranceNs] of [
  ['native', native, 0n],
  ['portable', portable, 1000n],
] as const) {
  suite(`${kind}: times`, () => {
    const times = [
      0n,
      1n,
      1_700_000_000_123_456_789n,
      999_999_999n,
      -1n,
      -1_500_000_000n,
      -86_400_123_456_789n,
      4_200_000_000_000_000_001n,
    ];
    for (const timeNs of times)
      test(`sets ${timeNs} on a file, a folder, a link and an open file`, () =>
        inFolder(posix, (at, path) => {
          fs.writeFileSync(join(path, 'file'), '');
          fs.mkdirSync(join(path, 'dir'));
          fs.symlinkSync('file', join(path, 'link'));
          const fd = posix.openFile(at('open'), O_RDWR | O_CREAT);
          const wantedAtimeNs = timeNs + 5_000_000_000n;
          for (const file of [at('file'), at('dir'), at('link'), fd]) {
            posix.setTimes(file, wantedAtimeNs, timeNs);
            const { mtimeNs, atimeNs } = posix.stat(file)!;
            assert(abs(mtimeNs - timeNs) <= toleranceNs, `${mtimeNs}`);
            assert(abs(atimeNs - wantedAtimeNs) <= toleranceNs, `${atimeNs}`);
          }
          posix.close(fd);
        }));

    test('reads times to the nanosecond', () =>
      inFolder(posix, (at, path) => {
        fs.writeFileSync(join(path, 'file'), '');
        native.setTimes(at('file'), -7n, 1_600_000_000_000_000_007n);
        const { atimeNs, mtimeNs } = posix.stat(at('file'))!;
        assert.deepEqual([atimeNs, mtimeNs], [-7n, 1_600_000_000_000_000_007n]);
      }));
  });

  suite(`${kind}: what is there`, () => {
    test('tells of every type what stat tells', () =>
      inFolder(posix, (at, path) => {
        fs.writeFileSync(join(path, 'file'), 'three');
        fs.linkSync(join(path, 'file'), join(path, 'other'));
        fs.chmodSync(join(path, 'file'), 0o6751);
        fs.mkdirSync(join(path, 'dir'));
        fs.chmodSync(join(path, 'dir'), 0o1777);
        fs.symlinkSync('/nowhere', join(path, 'link'));
        execFileSync('mknod', [join(path, 'fifo'), 'p']);
        execFileSync('mknod', [join(path, 'block'), 'b', '4000', '300000']);
        execFileSync('mknod', [join(path, 'character'), 'c', '5', '1']);
        for (const name of fs.readdirSync(path)) {
          const stat = fs.lstatSync(join(path, name), { bigint: true });
          const attributes = posix.stat(at(name))!;
          assert.deepEqual(
            [attributes.mode, attributes.inode, attributes.deviceId, attributes.links, attributes.ctimeNs],
            [Number(stat.mode & 0o7777n), stat.ino, stat.dev, Number(stat.nlink), stat.ctimeNs],
            name,
          );
          const isDevice = stat.isBlockDevice() || stat.isCharacterDevice();
          assert.equal(attributes.device, isDevice ? stat.rdev : undefined, name);
          assert.equal(attributes.sizeBytes, stat.isFile() ? 5 : 0, name);
        }
        const types = ['block', 'character', 'dir', 'fifo', 'file', 'link'].map(
          (name) => posix.stat(at(name))?.type,
        );
        assert.deepEqual(types, ['dev', 'chardev', 'dir', 'fifo', 'file', 'symlink']);
        assert.equal(posix.stat(at('file'))!.user, 'root');
        assert.equal(posix.stat(at('absent')), undefined);
      }));

    test('tells sizes and inodes beyond 32 bits', () =>
      inFolder(posix, (at, path) => {
        fs.writeFileSync(join(path, 'large'), '');
        fs.truncateSync(join(path, 'large'), 5 * 2 ** 32 + 7);
        assert.equal(posix.stat(at('large'))!.sizeBytes, 5 * 2 ** 32 + 7);
      }));

    test('lists and opens names of any bytes', () =>
      inFolder(posix, (at) => {
        const names = ['plain', '\xff\xfe', 'a\nb', '\xc3', '...', ' ', 'x'.repeat(255)];
        for (const name of names) posix.close(posix.openFile(at(bytes(name)), O_WRONLY | O_CREAT | O_EXCL));
        posix.makeFolder(at(bytes('dir\xf0')), 0o700);
        const folder = posix.openFolder(at(bytes('dir\xf0')));
        posix.makeSymlink({ folder, name: bytes('\x80') }, bytes('to \xfd\xfc'));
        assert.deepEqual(bytes('to \xfd\xfc'), Buffer.from(posix.readLink({ folder, name: bytes('\x80') })));
        assert.deepEqual(posix.listNames(folder), ['\x80']);
        assert.deepEqual(posix.listNames(at('').folder).sort(), [...names, 'dir\xf0'].sort());
        posix.close(folder);
      }));

    test('reads a link as long as a link can be', () =>
      inFolder(posix, (at) => {
        const target = Buffer.from('t'.repeat(4095));
        posix.makeSymlink(at('long'), target);
        assert.deepEqual(Buffer.from(posix.readLink(at('long'))), target);
        assert.throws(
          () => posix.makeSymlink(at('longer'), Buffer.from('t'.repeat(4096))),
          withCode('ENAMETOOLONG'),
        );
      }));
  });

  suite(`${kind}: changes`, () => {
    test('makes, renames, links and removes', () =>
      inFolder(posix, (at, path) => {
        posix.makeFolder(at('dir'), 0o750);
        assert.equal(posix.stat(at('dir'))!.mode, 0o750);
        posix.close(posix.openFile(at('file'), O_WRONLY | O_CREAT | O_EXCL, 0o640));
        assert.equal(posix.stat(at('file'))!.mode, 0o640);
        posix.makeLink(at('file'), at('second'));
        assert.equal(posix.stat(at('second'))!.links, 2);
        posix.rename(at('second'), at('renamed'));
        posix.rename(at('renamed'), at('file2'));
        posix.makeSymlink(at('link'), Buffer.from('dir'));
        posix.remove(at('link'));
        posix.remove(at('dir'), { folder: true });
        posix.remove(at('dir'), { folder: true });
        posix.remove(at('absent'));
        assert.deepEqual(fs.readdirSync(path).sort(), ['file', 'file2']);
      }));

    test('sets owner and mode of the thing itself, never of what a link leads to', () =>
      inFolder(posix, (at, path) => {
        fs.writeFileSync(join(path, 'file'), '');
        fs.chmodSync(join(path, 'file'), 0o600);
        fs.symlinkSync('file', join(path, 'link'));
        posix.setOwner(at('link'), 12, 34);
        posix.setMode(at('link'), 0o777);
        posix.setTimes(at('link'), 0n, 0n);
        const [file, link] = [posix.stat(at('file'))!, posix.stat(at('link'))!];
        assert.deepEqual([link.uid, link.gid, file.uid, file.mode], [12, 34, 0, 0o600]);
        assert(file.mtimeNs > 0n);
        posix.setOwner(at('file'), 1234, 5678);
        posix.setMode(at('file'), 0o4755);
        const changed = posix.stat(at('file'))!;
        assert.deepEqual([changed.uid, changed.gid, changed.mode], [1234, 5678, 0o4755]);
        const fd = posix.openFile(at('file'), O_RDWR);
        posix.setOwner(fd, 0xffffffff, 1);
        posix.setMode(fd, 0o1600);
        const open = posix.stat(fd)!;
        assert.deepEqual([open.uid, open.gid, open.mode], [1234, 1, 0o1600]);
        posix.close(fd);
      }));

    test('sets the mode of what must not be opened', () =>
      inFolder(posix, (at, path) => {
        execFileSync('mknod', [join(path, 'fifo'), 'p']);
        posix.setMode(at('fifo'), 0o620);
        assert.equal(posix.stat(at('fifo'))!.mode, 0o620);
      }));
  });

  suite(`${kind}: no way out`, () => {
    test('follows no link', () =>
      inFolder(posix, (at, path) => {
        fs.mkdirSync(join(path, 'dir'));
        fs.writeFileSync(join(path, 'file'), '');
        fs.symlinkSync('dir', join(path, 'to-dir'));
        fs.symlinkSync('file', join(path, 'to-file'));
        fs.symlinkSync('absent', join(path, 'dangling'));
        assert.throws(() => posix.openFolder(at('to-dir')), withCode('ENOTDIR'));
        assert.throws(() => posix.openFolder(join(path, 'to-dir')), withCode('ENOTDIR'));
        assert.throws(() => posix.openFile(at('to-file'), O_RDONLY), withCode('ELOOP'));
        assert.throws(() => posix.openFile(at('dangling'), O_WRONLY | O_CREAT), withCode('ELOOP'));
        assert.deepEqual(fs.readdirSync(path).includes('absent'), false);
        posix.makeLink(at('to-file'), at('second'));
        assert.equal(posix.stat(at('second'))!.type, 'symlink');
        for (const place of [at('to-dir'), join(path, 'to-dir')])
          posix.close(posix.openFolder(place, { follow: true }));
      }));

    test('refuses names that are paths, or end early', () =>
      inFolder(posix, (at) => {
        for (const name of ['../escape', '/etc/passwd', 'a/b', 'a\0b']) {
          const place = at(name);
          const calls = [
            () => posix.openFolder(place),
            () => posix.openFile(place, O_RDONLY),
            () => posix.makeFolder(place, 0o700),
            () => posix.makeSymlink(place, Buffer.from('x')),
            () => posix.makeLink(place, at('x')),
            () => posix.makeLink(at('x'), place),
            () => posix.rename(place, at('x')),
            () => posix.rename(at('x'), place),
            () => posix.remove(place),
            () => posix.setOwner(place, 0, 0),
            () => posix.setMode(place, 0),
            () => posix.setTimes(place, 0n, 0n),
            () => posix.stat(place),
            () => posix.readLink(place),
          ];
          for (const call of calls) assert.throws(call, withCode('EINVAL'), `${name}: ${call}`);
        }
        assert.throws(
          () => posix.makeSymlink(at('x'), Buffer.from('a\0b')),
          (error: NodeJS.ErrnoException) => {
            assert.match(error.code ?? '', /^(EINVAL|ERR_INVALID_ARG_VALUE)$/);
            return true;
          },
        );
      }));
  });

  suite(`${kind}: failures`, () => {
    test('carry their code', () =>
      inFolder(posix, (at, path) => {
        fs.mkdirSync(join(path, 'dir'));
        fs.writeFileSync(join(path, 'dir', 'file'), '');
        assert.throws(() => posix.openFolder(at('absent')), withCode('ENOENT'));
        assert.throws(() => posix.openFile(at('absent'), O_RDONLY), withCode('ENOENT'));
        assert.throws(() => posix.makeFolder(at('dir'), 0o700), withCode('EEXIST'));
        assert.throws(() => posix.makeSymlink(at('dir'), Buffer.from('x')), withCode('EEXIST'));
        assert.throws(() => posix.remove(at('dir'), { folder: true }), withCode('ENOTEMPTY'));
        assert.throws(() => posix.readLink(at('dir')), withCode('EINVAL'));
        assert.throws(() => posix.rename(at('absent'), at('x')), withCode('ENOENT'));
        assert.throws(() => posix.setTimes(at('absent'), 0n, 0n), withCode('ENOENT'));
        assert.throws(() => posix.setOwner(at('absent'), 0, 0), withCode('ENOENT'));
        assert.throws(() => posix.setMode(at('absent'), 0), withCode('ENOENT'));
        assert.throws(() => posix.openFile(at('x'.repeat(256)), O_RDONLY), withCode('ENAMETOOLONG'));
        assert.throws(() => posix.stat(at('x'.repeat(5000))), withCode('ENAMETOOLONG'));
      }));

    test('a folder that is opened only to pass through need not be readable', () => {
      const path = fs.mkdtempSync(join(root, 'pass-'));
      fs.mkdirSync(join(path, 'closed'));
      fs.writeFileSync(join(path, 'closed', 'known'), 'x');
      fs.chmodSync(join(path, 'closed', 'known'), 0o644);
      fs.chmodSync(join(path, 'closed'), 0o711);
      fs.chmodSync(path, 0o755);
      fs.chmodSync(root, 0o755);
      process.seteuid!(65_534);
      try {
        const upper = posix.openFolder(path);
        const place = { folder: upper, name: Buffer.from('closed') };
        assert.throws(() => posix.openFolder(place), withCode('EACCES'));
        const folder = posix.openFolder(place, { searchOnly: true });
        posix.close(posix.openFile({ folder, name: Buffer.from('known') }, O_RDONLY | O_NONBLOCK));
        for (const fd of [folder, upper]) posix.close(fd);
      } finally {
        process.seteuid!(0);
      }
    });
  });
}

suite('portable: what it cannot', () => {
  test('says so, and harms nothing', () =>
    inFolder(portable, (at, path) => {
      fs.writeFileSync(join(path, 'file'), 'data');
      assert.throws(() => portable.makeSpecial(at('fifo'), 'fifo', 0o600, 0n), withCode('ENOTSUP'));
      const attribute = { name: 'user.x', value: new Uint8Array(1) };
      assert.throws(() => portable.setXattr(at('file'), attribute), withCode('ENOTSUP'));
      assert.throws(() => portable.removeXattr(at('file'), 'user.x'), withCode('ENOTSUP'));
      assert.deepEqual(portable.readXattrs(at('file')), []);
      const fd = portable.openFile(at('file'), O_RDWR);
      portable.allocate(fd, 1024);
      assert.equal(portable.punchHole(fd, 0, 2), false);
      assert.deepEqual(portable.findData(fd, 1), { start: 1, end: 4 });
      assert.equal(portable.findData(fd, 4), undefined);
      portable.close(fd);
      assert.equal(fs.readFileSync(join(path, 'file'), 'utf8'), 'data');
    }));
});

test('no descriptor outlives its use, nor reaches a child', () => {
  const open = () => fs.readdirSync('/proc/self/fd').length;
  const before = open();
  for (const posix of [native, portable])
    inFolder(posix, (at) => {
      const folder = posix.openFolder(root, { searchOnly: true });
      posix.setMode(at('.'), 0o700);
      const inherited = spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' }).stdout;
      assert(!inherited.includes('holdfast-posix-'), inherited);
      posix.close(folder);
    });
  assert.equal(open(), before);
});

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}
