import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, suite, test } from 'node:test';
import type { FileAttributes, Place } from '#base';
import type { SourceProblem } from '../source.ts';
import { FolderTarget, type FolderTargetOptions } from './folder-target.ts';
import type { OverwritePolicy } from './overwrite.ts';
import { hookedPosix } from './testing/hooked-posix.ts';

const root = fs.mkdtempSync(join(tmpdir(), 'holdfast-target-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));
fs.chmodSync(root, 0o755);
let path: string;
let outside: string;
let problems: SourceProblem[];
beforeEach(() => {
  const folder = fs.mkdtempSync(join(root, 'test-'));
  fs.chmodSync(folder, 0o777);
  path = join(folder, 'target');
  outside = join(folder, 'outside');
  fs.mkdirSync(outside);
  fs.writeFileSync(join(outside, 'kept'), 'kept');
  problems = [];
});

const namesOf = (text: string): Buffer[] => text.split('/').map((name) => Buffer.from(name));
const said = (): string[] =>
  problems.map(({ path: at, error, gravity }) => `${gravity} ${at}: ${error.message}`);
const inOutside = (): string[] => fs.readdirSync(outside, { recursive: true }).map(String).sort();

function attributesOf(type: FileAttributes['type'], more: Partial<FileAttributes> = {}): FileAttributes {
  const timeNs = 1_600_000_000_123_456_789n;
  return {
    type,
    mode: type === 'dir' ? 0o755 : 0o644,
    uid: process.geteuid!(),
    gid: process.getegid!(),
    user: '',
    group: '',
    mtimeNs: timeNs,
    atimeNs: timeNs,
    ctimeNs: timeNs,
    inode: 0n,
    deviceId: 1n,
    links: 1,
    sizeBytes: 0,
    ...more,
  };
}

function open(options: Partial<FolderTargetOptions> = {}): FolderTarget {
  const target = new FolderTarget({
    path,
    resumeKey: 'snapshot',
    onProblem: (problem) => problems.push(problem),
    ...options,
  });
  target.begin();
  return target;
}

function putFile(
  target: FolderTarget,
  name: string,
  content: string | Buffer,
  more: Partial<FileAttributes> = {},
): boolean {
  const bytes = Buffer.from(content as string);
  const file = target.openFile(namesOf(name), attributesOf('file', { sizeBytes: bytes.length, ...more }));
  if (!file) return false;
  if (file.state === 'same') file.keep(bytes.length);
  else file.write(0, bytes);
  return file.finish();
}

suite('no way out', () => {
  for (const names of [
    ['..'],
    ['.'],
    [''],
    ['a', '..', '..', 'outside', 'x'],
    ['/etc/x'],
    ['a/../../x'],
    ['a\0b'],
    ['../outside/x'],
    [],
  ])
    test(`refuses ${JSON.stringify(names)}`, () => {
      const target = open();
      const bytes = names.map((name) => Buffer.from(name));
      assert.equal(target.makeDirectory(bytes, attributesOf('dir')), false);
      assert.equal(target.openFile(bytes, attributesOf('file')), undefined);
      target.makeNode(bytes, attributesOf('symlink', { linkTarget: Buffer.from('x') }));
      target.close();
      assert.deepEqual(
        problems.map(({ gravity, error }) => `${gravity} ${error.message.slice(0, 8)}`),
        Array(3).fill('lost refused:'),
      );
      assert.deepEqual([fs.readdirSync(path), inOutside()], [[], ['kept']]);
    });

  for (const policy of ['always', 'if-changed', 'if-newer', 'never'] as OverwritePolicy[])
    test(`a link planted where a folder goes is not followed (${policy})`, async () => {
      fs.mkdirSync(path);
      fs.symlinkSync(outside, join(path, 'd'));
      fs.lutimesSync(join(path, 'd'), 1, 1);
      const target = open({ overwrite: policy });
      const isMade = target.makeDirectory(namesOf('d'), attributesOf('dir'));
      putFile(target, 'd/kept', 'overwritten');
      await target.end();
      assert.equal(isMade, policy !== 'never');
      assert.equal(fs.lstatSync(join(path, 'd')).isSymbolicLink(), policy === 'never');
      assert.equal(fs.readFileSync(join(outside, 'kept'), 'utf8'), 'kept');
      assert.deepEqual(inOutside(), ['kept']);
      assert.equal(problems.length > 0, policy === 'never');
    });

  test('a link planted where a file goes is replaced, and what it leads to stays', async () => {
    fs.mkdirSync(path);
    fs.symlinkSync(join(outside, 'kept'), join(path, 'f'));
    const target = open();
    putFile(target, 'f', 'new');
    await target.end();
    assert.equal(fs.readFileSync(join(outside, 'kept'), 'utf8'), 'kept');
    assert.equal(fs.readFileSync(join(path, 'f'), 'utf8'), 'new');
    assert(fs.lstatSync(join(path, 'f')).isFile());
  });
});

suite('no way out while the restore runs', () => {
  test('a link that takes the place of a folder during the restore leads nowhere', async () => {
    let isSwapped = false;
    const posix = hookedPosix((call, args) => {
      if (isSwapped || call !== 'openFolder' || (args[0] as Place).name?.toString() !== 'd') return;
      isSwapped = true;
      fs.renameSync(join(path, 'd'), join(path, 'moved'));
      fs.symlinkSync(outside, join(path, 'd'));
    });
    const target = open({ posix });
    target.makeDirectory(namesOf('d'), attributesOf('dir'));
    putFile(target, 'd/kept', 'overwritten');
    target.makeNode(namesOf('d/link'), attributesOf('symlink', { linkTarget: Buffer.from('x') }));
    target.makeDirectory(namesOf('d/below'), attributesOf('dir'));
    await target.end();
    assert(isSwapped);
    assert.deepEqual(inOutside(), ['kept']);
    assert.equal(fs.readFileSync(join(outside, 'kept'), 'utf8'), 'kept');
    assert(said().every((text) => text.startsWith('lost /d')) && problems.length >= 3, said().join('\n'));
  });

  test('a file that is swapped for a link while it is parked is not written through', async () => {
    const target = open();
    const content = Buffer.alloc(10, 'x');
    const files = Array.from(
      { length: 300 },
      (_, i) => target.openFile(namesOf(`f${i}`), attributesOf('file', { sizeBytes: 10 }))!,
    );
    // More than can be open at once: the first is parked, under its partial name.
    const partials = fs.readdirSync(path);
    assert.equal(partials.length, 300);
    for (const name of partials) {
      fs.rmSync(join(path, name));
      fs.symlinkSync(join(outside, 'kept'), join(path, name));
    }
    files[0]!.write(0, content);
    assert.equal(files[0]!.finish(), false);
    for (const file of files) file.abandon();
    target.close();
    assert.equal(fs.readFileSync(join(outside, 'kept'), 'utf8'), 'kept');
    assert.match(said().join(), /^lost \/f0: ELOOP/);
  });

  for (const plant of ['symlink', 'second name', 'folder', 'of somebody else'])
    test(`a partial file that is planted (${plant}) is not written to`, async () => {
      const first = open();
      first.openFile(namesOf('f'), attributesOf('file', { sizeBytes: 3 }));
      first.close();
      const [name] = fs.readdirSync(path);
      const partial = join(path, name!);
      fs.rmSync(partial);
      if (plant === 'symlink') fs.symlinkSync(join(outside, 'kept'), partial);
      else if (plant === 'second name') fs.linkSync(join(outside, 'kept'), partial);
      else if (plant === 'folder') fs.mkdirSync(partial);
      else {
        fs.writeFileSync(partial, 'theirs');
        fs.chownSync(partial, 1234, 1234);
      }
      const target = open();
      const isRestored = putFile(target, 'f', 'new');
      await target.end();
      assert.equal(fs.readFileSync(join(outside, 'kept'), 'utf8'), 'kept');
      assert.equal(isRestored, plant !== 'folder');
      if (isRestored)
        assert.deepEqual(
          [
            fs.readFileSync(join(path, 'f'), 'utf8'),
            fs.lstatSync(join(path, 'f')).nlink,
            fs.lstatSync(join(path, 'f')).uid,
          ],
          ['new', 1, 0],
        );
      else assert.match(said().join(), /^lost \/f: /);
    });
});

suite('what exists already', () => {
  const wantedNs = 1_600_000_000_123_456_789n;
  const older = 1_500_000_000;
  const newer = 1_700_000_000;
  const table: [OverwritePolicy, 'absent' | 'older' | 'newer' | 'same' | 'other size', 'new' | 'old'][] = [
    ['never', 'absent', 'new'],
    ['never', 'older', 'old'],
    ['never', 'other size', 'old'],
    ['if-newer', 'absent', 'new'],
    ['if-newer', 'older', 'new'],
    ['if-newer', 'newer', 'old'],
    ['if-newer', 'same', 'old'],
    ['if-changed', 'absent', 'new'],
    ['if-changed', 'older', 'new'],
    ['if-changed', 'newer', 'new'],
    ['if-changed', 'same', 'old'],
    ['if-changed', 'other size', 'new'],
    ['always', 'same', 'new'],
    ['always', 'newer', 'new'],
  ];
  for (const [overwrite, found, winner] of table)
    test(`${overwrite}, ${found}: ${winner}`, async () => {
      fs.mkdirSync(path);
      const file = join(path, 'f');
      if (found !== 'absent') {
        fs.writeFileSync(file, found === 'other size' ? 'old content' : 'old');
        if (found === 'older') fs.utimesSync(file, older, older);
        if (found === 'newer') fs.utimesSync(file, newer, newer);
        if (found === 'same' || found === 'other size') {
          const posix = hookedPosix(() => {});
          const folder = posix.openFolder(path);
          posix.setTimes({ folder, name: Buffer.from('f') }, 0n, wantedNs);
          posix.close(folder);
        }
      }
      const target = open({ overwrite });
      putFile(target, 'f', 'new');
      const summary = await target.end();
      assert.deepEqual(problems, []);
      assert.equal(fs.readFileSync(file, 'utf8').slice(0, 3), winner);
      const isLeft = winner === 'old' && overwrite !== 'if-changed';
      assert.deepEqual(
        [summary.files, summary.unchanged, summary.left],
        [winner === 'new' ? 1 : 0, winner === 'old' && !isLeft ? 1 : 0, isLeft ? 1 : 0],
      );
      assert.deepEqual(fs.readdirSync(path), ['f']);
    });
});

suite('what is in the way', () => {
  test('a folder that is not empty is not replaced by a file', async () => {
    fs.mkdirSync(join(path, 'f'), { recursive: true });
    fs.writeFileSync(join(path, 'f', 'x'), 'x');
    const target = open({ overwrite: 'always' });
    assert.equal(putFile(target, 'f', 'new'), false);
    await target.end();
    assert.match(said().join(), /^lost \/f: ENOTEMPTY/);
    assert.equal(target.isRestored(namesOf('f')), false);
  });

  test('other types give way: a file to a folder, a link to a FIFO, an empty folder to a file', async () => {
    fs.mkdirSync(join(path, 'folder'), { recursive: true });
    fs.writeFileSync(join(path, 'file'), 'x');
    fs.symlinkSync('x', join(path, 'link'));
    const target = open();
    assert(target.makeDirectory(namesOf('file'), attributesOf('dir')));
    target.makeNode(namesOf('link'), attributesOf('fifo'));
    putFile(target, 'folder', 'now a file');
    const summary = await target.end();
    assert.deepEqual(problems, []);
    assert(fs.lstatSync(join(path, 'file')).isDirectory());
    assert(fs.lstatSync(join(path, 'link')).isFIFO());
    assert.equal(fs.readFileSync(join(path, 'folder'), 'utf8'), 'now a file');
    assert.deepEqual([summary.folders, summary.files, summary.others], [1, 1, 1]);
  });

  test('nothing that the snapshot does not have is deleted', async () => {
    fs.mkdirSync(join(path, 'd'), { recursive: true });
    fs.writeFileSync(join(path, 'd', 'mine'), 'mine');
    const target = open({ overwrite: 'always' });
    target.makeDirectory(namesOf('d'), attributesOf('dir'));
    putFile(target, 'd/f', 'new');
    await target.end();
    assert.deepEqual(fs.readdirSync(join(path, 'd')).sort(), ['f', 'mine']);
  });
});

suite('hard links', () => {
  const linked = { inode: 77n, links: 3, sizeBytes: 4 };
  test('names of one file become one file, in whatever order they are finished', async () => {
    const target = open();
    const first = target.openFile(namesOf('a'), attributesOf('file', linked))!;
    assert.equal(target.openFile(namesOf('b'), attributesOf('file', linked)), undefined);
    first.write(0, Buffer.from('data'));
    assert(first.finish());
    assert.equal(target.openFile(namesOf('c'), attributesOf('file', linked)), undefined);
    const { files, links } = await target.end();
    assert.deepEqual([files, links, problems], [1, 2, []]);
    const inodes = ['a', 'b', 'c'].map((name) => fs.lstatSync(join(path, name)).ino);
    assert.equal(new Set(inodes).size, 1);
    assert.equal(fs.readFileSync(join(path, 'c'), 'utf8'), 'data');
  });

  test('are completed by a second restore', async () => {
    const once = async () => {
      const target = open();
      for (const name of ['a', 'b', 'c']) putFile(target, name, 'data', linked);
      return target.end();
    };
    await once();
    fs.rmSync(join(path, 'b'));
    fs.rmSync(join(path, 'c'));
    fs.writeFileSync(join(path, 'c'), 'data');
    const { files, unchanged, links } = await once();
    assert.deepEqual([files, unchanged, links, problems], [0, 1, 2, []]);
    assert.equal(fs.lstatSync(join(path, 'a')).nlink, 3);
  });

  test('of a file that failed are told each', async () => {
    const target = open();
    const first = target.openFile(namesOf('a'), attributesOf('file', linked))!;
    target.openFile(namesOf('b'), attributesOf('file', linked));
    first.abandon();
    await target.end();
    assert.deepEqual(said(), ['lost /b: is another name of a file that was not restored']);
    assert.deepEqual(
      ['a', 'b'].map((name) => target.isRestored(namesOf(name))),
      [false, false],
    );
  });

  test('an inode that was used again while the backup ran is no link', async () => {
    const target = open();
    putFile(target, 'a', 'data', linked);
    putFile(target, 'b', 'other', { ...linked, sizeBytes: 5 });
    await target.end();
    assert.equal(fs.readFileSync(join(path, 'b'), 'utf8'), 'other');
    assert.equal(fs.readFileSync(join(path, 'a'), 'utf8'), 'data');
  });
});

suite('content', () => {
  const MiB = 1024 * 1024;

  test('zeros become holes when asked, at the end too', async () => {
    const content = Buffer.alloc(8 * MiB);
    content.write('begin');
    content.write('middle', 4 * MiB + 100);
    for (const isSparse of [true, false]) {
      const target = open({ isSparse, overwrite: 'always' });
      putFile(target, 'f', content);
      await target.end();
      const { blocks, size } = fs.lstatSync(join(path, 'f'));
      assert.equal(size, content.length);
      assert(isSparse ? blocks * 512 <= 64 * 1024 : blocks * 512 >= content.length, `${blocks}`);
      assert(fs.readFileSync(join(path, 'f')).equals(content));
    }
  });

  test('a partial file is found again with its bytes, and zeros punch out what is wrong', async () => {
    const wanted = Buffer.alloc(3 * MiB, 1).fill(0, MiB, 2 * MiB);
    const sizeBytes = wanted.length;
    const first = open({ isSparse: true });
    const begun = first.openFile(namesOf('f'), attributesOf('file', { sizeBytes }))!;
    assert.equal(begun.state, 'new');
    begun.write(0, Buffer.alloc(2 * MiB, 1));
    first.close();
    assert(!fs.existsSync(join(path, 'f')));
    const second = open({ isSparse: true });
    const file = second.openFile(namesOf('f'), attributesOf('file', { sizeBytes }))!;
    assert.equal(file.state, 'partial');
    assert(Buffer.alloc(MiB, 1).equals(file.read(0, MiB)));
    assert.equal(file.read(3 * MiB - 1, 10).length, 0);
    file.keep(MiB);
    file.write(MiB, wanted.subarray(MiB));
    assert(file.finish());
    await second.end();
    assert(fs.readFileSync(join(path, 'f')).equals(wanted));
    assert(fs.lstatSync(join(path, 'f')).blocks * 512 <= 2 * MiB + 64 * 1024);
    assert.deepEqual(fs.readdirSync(path), ['f']);
  });

  test('a partial file of another snapshot is not taken', () => {
    const first = open();
    first.openFile(namesOf('f'), attributesOf('file', { sizeBytes: 3 }))!.write(0, Buffer.from('one'));
    first.close();
    const second = open({ resumeKey: 'another' });
    assert.equal(second.openFile(namesOf('f'), attributesOf('file', { sizeBytes: 3 }))!.state, 'new');
    second.close();
  });

  test('a file of which bytes are missing does not get its name', async () => {
    const target = open();
    const file = target.openFile(namesOf('f'), attributesOf('file', { sizeBytes: 10 }))!;
    file.write(0, Buffer.from('half'));
    assert.equal(file.finish(), false);
    await target.end();
    assert.deepEqual(said(), ['lost /f: incomplete: 4 of 10 bytes were restored']);
    assert(!fs.existsSync(join(path, 'f')));
  });
});

suite('owners and modes', () => {
  const facts = (name: string) => {
    const { uid, gid, mode, mtimeNs } = fs.lstatSync(join(path, name), { bigint: true });
    return [Number(uid), Number(gid), Number(mode & 0o7777n).toString(8), mtimeNs];
  };
  const restoreAll = async (options: Partial<FolderTargetOptions> = {}) => {
    const target = open(options);
    const theirs = { uid: 1234, gid: 5678 };
    target.makeDirectory(namesOf('d'), attributesOf('dir', { ...theirs, mode: 0o500 }));
    putFile(target, 'd/suid', 'x', { ...theirs, mode: 0o4755 });
    putFile(target, 'd/none', 'x', { ...theirs, mode: 0 });
    await target.end();
  };
  const timeNs = 1_600_000_000_123_456_789n;

  test('root restores them all', async () => {
    await restoreAll();
    assert.deepEqual(problems, []);
    assert.deepEqual(facts('d'), [1234, 5678, '500', timeNs]);
    assert.deepEqual(facts('d/suid'), [1234, 5678, '4755', timeNs]);
    assert.deepEqual(facts('d/none'), [1234, 5678, '0', timeNs]);
  });

  test('anybody else keeps the files, loses setuid bits, and is told once', async () => {
    const parent = join(path, '..');
    assert(fs.lstatSync(parent).isDirectory());
    process.setegid!(65_534);
    process.seteuid!(65_534);
    try {
      await restoreAll();
      await restoreAll();
    } finally {
      process.seteuid!(0);
      process.setegid!(0);
    }
    const told = 'odd /d/suid: owner (needs root): not restored for 3 entries, first here';
    assert.deepEqual(said(), [told, told]);
    assert.deepEqual(facts('d'), [65_534, 65_534, '500', timeNs]);
    assert.deepEqual(facts('d/suid'), [65_534, 65_534, '755', timeNs]);
    assert.deepEqual(facts('d/none'), [65_534, 65_534, '0', timeNs]);
  });
});
