import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, suite, test } from 'node:test';
import { collect, openPosix, type Place } from '#base';
import type { SourceEvent } from '../source.ts';
import { type FilesSourceOptions, filesSource } from './files-source.ts';
import { hookedPosix } from './testing/hooked-posix.ts';

const root = fs.mkdtempSync(join(tmpdir(), 'holdfast-walk-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));
fs.chmodSync(root, 0o755);
let tree: string;
beforeEach(() => {
  tree = fs.mkdtempSync(join(root, 'tree-'));
  fs.chmodSync(tree, 0o755);
});

const signal = new AbortController().signal;
const write = (...names: string[]): void => {
  for (const name of names) {
    fs.mkdirSync(join(tree, name, '..'), { recursive: true });
    fs.writeFileSync(join(tree, name), name);
  }
};

interface Walk {
  events: SourceEvent[];
  /** Paths of the entries, those in the tree without its own path. */
  entries: string[];
  problems: string[];
}

async function walk(options: Partial<FilesSourceOptions> = {}): Promise<Walk> {
  const result: Walk = { events: [], entries: [], problems: [] };
  const shorten = (path: string) => path.replace(tree, '');
  for await (const event of filesSource({ paths: [tree], ...options }).read(signal)) {
    result.events.push(event);
    if (event.kind === 'entry')
      result.entries.push(
        shorten(`/${event.path.map((one) => Buffer.from(one).toString('latin1')).join('/')}`),
      );
    if (event.kind === 'problem') {
      const { path, error, gravity } = event.problem;
      result.problems.push(`${gravity} ${shorten(path)}: ${error.message.replace(tree, '')}`);
    }
  }
  return result;
}

/** Entries without the upper folders. */
const inTree = ({ entries }: Walk): string[] =>
  entries.filter((path) => !tree.startsWith(path) || path === '');

suite('order', () => {
  test('goes depth first by the bytes of names, upper folders first, each folder entered and left', async () => {
    write('b', 'a/y', 'a/x', 'a.txt', 'B', 'é');
    for (const name of ['\xff', 'a\x01'])
      fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(name, 'latin1')]), '');
    const result = await walk();
    const uppers = tree.slice(1).split('/').length - 1;
    assert.deepEqual(result.entries.slice(uppers), [
      '',
      '/B',
      '/a',
      '/a/x',
      '/a/y',
      '/a\x01',
      '/a.txt',
      '/b',
      '/\xc3\xa9',
      '/\xff',
    ]);
    assert.deepEqual(result.problems, []);
    let depth = 0;
    for (const event of result.events) {
      if (event.kind === 'problem') continue;
      if (event.kind === 'leave') assert.equal(event.path.length, depth--);
      else {
        assert.equal(event.path.length, depth + 1);
        if (event.attributes.type === 'dir') depth++;
      }
    }
    assert.equal(depth, 0);
  });

  test('tells an estimate of the same files', async () => {
    write('a', 'b/cc');
    const totals = await Array.fromAsync(filesSource({ paths: [tree] }).estimate(signal));
    const uppers = tree.slice(1).split('/').length;
    assert.deepEqual(totals.at(-1), { files: 2, folders: uppers + 1, sizeBytes: 1 + 4 });
  });

  test('stops when it is told to', async () => {
    write('a');
    const stopped = filesSource({ paths: [tree] }).read(AbortSignal.abort(new Error('enough')));
    await assert.rejects(Array.fromAsync(stopped), /enough/);
  });
});

suite('kinds of files', () => {
  test('passes sockets over', async () => {
    write('file');
    const server = createServer().listen(join(tree, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const result = await walk();
    server.close();
    assert.deepEqual(inTree(result), ['', '/file']);
    assert.deepEqual(result.problems, []);
  });

  test('reads links, FIFOs, devices, attributes and ACLs without opening what might block', async () => {
    write('file');
    fs.symlinkSync(Buffer.from('to \xff', 'latin1'), join(tree, 'link'));
    execFileSync('mknod', [join(tree, 'fifo'), 'p']);
    execFileSync('mknod', [join(tree, 'device'), 'c', '1', '3']);
    execFileSync('setfattr', ['-n', 'user.note', '-v', 'x', join(tree, 'file')]);
    execFileSync('setfacl', ['-m', 'u:1234:r', join(tree, 'file')]);
    const { events } = await walk();
    const found = new Map(
      events.flatMap((event) =>
        event.kind === 'entry' ? [[event.path.at(-1)!.toString(), event] as const] : [],
      ),
    );
    assert.deepEqual(found.get('link')?.attributes.linkTarget, Buffer.from('to \xff', 'latin1'));
    assert.equal(found.get('fifo')?.attributes.type, 'fifo');
    assert.equal(found.get('device')?.attributes.device, BigInt(fs.lstatSync(join(tree, 'device')).rdev));
    const names = found
      .get('file')
      ?.attributes.extendedAttributes?.map(({ name }) => name)
      .sort();
    assert.deepEqual(names, ['system.posix_acl_access', 'user.note']);
    assert.deepEqual(found.get('file')?.content, { localPath: Buffer.from(join(tree, 'file')) });
    assert.equal(found.get('fifo')?.content, undefined);
  });
});

suite('starts', () => {
  test('one in another, twice the same, and files', async () => {
    write('a/b/c', 'a/d', 'e/f', 'g');
    const paths = ['a/b', 'a', 'a/b/../b/', 'e/f'].map((name) => join(tree, name));
    assert.deepEqual(inTree(await walk({ paths })), ['', '/a', '/a/b', '/a/b/c', '/a/d', '/e', '/e/f']);
  });

  test('a relative path starts at the working directory', async () => {
    write('a/b');
    assert.deepEqual(inTree(await walk({ paths: ['a/./b'], cwd: tree })), ['', '/a', '/a/b']);
  });

  test('a link that is asked for is saved itself, one on the way is followed', async () => {
    write('real/file');
    fs.symlinkSync('real', join(tree, 'link'));
    const { events, entries } = await walk({ paths: [join(tree, 'link')] });
    assert.equal(entries.at(-1), '/link');
    const last = events.findLast((event) => event.kind === 'entry')!;
    assert.equal(last.attributes.type, 'symlink');
    const way = await walk({ paths: [join(tree, 'link/file')] });
    assert.deepEqual(inTree(way), ['', '/link', '/link/file']);
    const types = way.events.flatMap((event) => (event.kind === 'entry' ? [event.attributes.type] : []));
    assert.deepEqual(types.slice(-2), ['dir', 'file']);
  });

  test('what lies behind a link that is saved itself is told as lost', async () => {
    write('real/file');
    fs.symlinkSync('real', join(tree, 'link'));
    const paths = ['link', 'link/file'].map((name) => join(tree, name));
    const { problems } = await walk({ paths });
    assert.deepEqual(problems, ['lost /link/file: lies behind a file or link that is saved itself']);
  });

  test('an absent start is lost, and none at all fails', async () => {
    write('a');
    const paths = ['a', 'absent', 'gone/below', 'a/x'].map((name) => join(tree, name));
    const { problems } = await walk({ paths });
    assert.deepEqual(problems, [
      'lost /a/x: lies behind a file or link that is saved itself',
      'lost /absent: does not exist',
      'lost /gone/below: does not exist',
    ]);
    await assert.rejects(walk({ paths: [join(tree, 'absent'), join(tree, 'a/x')] }), {
      code: 'sources.absent',
    });
  });

  test('an excluded start is told', async () => {
    write('a', 'b');
    const result = await walk({ paths: [join(tree, 'a'), join(tree, 'b')], excludes: ['a'] });
    assert.deepEqual(result.problems, ['odd /a: is excluded although it was asked for']);
    assert.deepEqual(inTree(result), ['', '/b']);
  });
});

suite('what cannot be read', () => {
  const asNobody = async (work: () => Promise<Walk>): Promise<Walk> => {
    process.seteuid!(65_534);
    try {
      return await work();
    } finally {
      process.seteuid!(0);
    }
  };

  test('a folder that may not be listed is lost, the rest is saved', async () => {
    write('a', 'closed/x', 'z');
    fs.chmodSync(join(tree, 'closed'), 0o700);
    const result = await asNobody(walk);
    assert.deepEqual(inTree(result), ['', '/a', '/closed', '/z']);
    assert.match(result.problems.join(), /^lost \/closed: EACCES/);
  });

  test('a start in a folder that may only be passed through is saved', async () => {
    write('way/file');
    fs.chmodSync(join(tree, 'way'), 0o711);
    const result = await asNobody(() => walk({ paths: [join(tree, 'way/file')] }));
    assert.deepEqual(inTree(result), ['', '/way', '/way/file']);
    assert.deepEqual(result.problems, []);
  });

  test('names in a folder that may be listed but not entered are lost', async () => {
    write('dim/x', 'dim/y');
    fs.chmodSync(join(tree, 'dim'), 0o744);
    const result = await asNobody(walk);
    assert.deepEqual(inTree(result), ['', '/dim']);
    assert.deepEqual(
      result.problems.map((text) => text.slice(0, 18)),
      ['lost /dim/x: EACCE', 'lost /dim/y: EACCE'],
    );
  });
});

suite('what vanishes meanwhile', () => {
  const nameOf = (args: readonly unknown[]): string => Buffer.from((args[0] as Place).name ?? '').toString();

  test('a name that was listed and is gone is odd', async () => {
    write('a', 'gone', 'z');
    const posix = hookedPosix((call, args) => {
      if (call === 'stat' && nameOf(args) === 'gone') fs.rmSync(join(tree, 'gone'));
    });
    const result = await walk({ posix });
    assert.deepEqual(inTree(result), ['', '/a', '/z']);
    assert.deepEqual(result.problems, ['odd /gone: vanished while its folder was read']);
  });

  test('a folder that is gone before it is opened is odd, and stays empty', async () => {
    write('a', 'gone/x', 'z');
    const posix = hookedPosix((call, args) => {
      if (call === 'openFolder' && nameOf(args) === 'gone')
        fs.rmSync(join(tree, 'gone'), { recursive: true });
    });
    const result = await walk({ posix });
    assert.deepEqual(inTree(result), ['', '/a', '/gone', '/z']);
    assert.deepEqual(result.problems.length, 1);
    assert.match(result.problems[0]!, /^odd \/gone: ENOENT/);
  });

  test('a folder that becomes a link is not followed', async () => {
    write('a', 'turns/x', 'z');
    const posix = hookedPosix((call, args) => {
      if (call !== 'openFolder' || nameOf(args) !== 'turns') return;
      fs.rmSync(join(tree, 'turns'), { recursive: true });
      fs.symlinkSync('/etc', join(tree, 'turns'));
    });
    const result = await walk({ posix });
    assert.deepEqual(inTree(result), ['', '/a', '/turns', '/z']);
    assert.match(result.problems.join(), /^lost \/turns: ENOTDIR/);
  });

  test('a link that is gone before it is read is odd', async () => {
    write('a', 'z');
    fs.symlinkSync('a', join(tree, 'gone'));
    const posix = hookedPosix((call) => {
      if (call === 'readLink') fs.rmSync(join(tree, 'gone'));
    });
    const result = await walk({ posix });
    assert.deepEqual(inTree(result), ['', '/a', '/z']);
    assert.match(result.problems.join(), /^odd \/gone: ENOENT/);
  });
});

test('stays on one file system, where mount points are saved empty', async () => {
  write('a', 'mnt/hidden', 'z');
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(tree, 'mnt')]);
  try {
    write('mnt/below', 'mnt/deep/start');
    assert.deepEqual(inTree(await walk()), [
      '',
      '/a',
      '/mnt',
      '/mnt/below',
      '/mnt/deep',
      '/mnt/deep/start',
      '/z',
    ]);
    const oneFileSystem = true;
    assert.deepEqual(inTree(await walk({ oneFileSystem })), ['', '/a', '/mnt', '/z']);
    const paths = [tree, join(tree, 'mnt/deep')];
    assert.deepEqual(inTree(await walk({ oneFileSystem, paths })), [
      '',
      '/a',
      '/mnt',
      '/mnt/deep',
      '/mnt/deep/start',
      '/z',
    ]);
    assert.deepEqual(inTree(await walk({ oneFileSystem, paths: [join(tree, 'mnt')] })), [
      '',
      '/mnt',
      '/mnt/below',
      '/mnt/deep',
      '/mnt/deep/start',
    ]);
  } finally {
    execFileSync('umount', [join(tree, 'mnt')]);
  }
});

test('reads a file whose path is longer than PATH_MAX', async () => {
  const posix = openPosix();
  let folder = posix.openFolder(tree);
  for (let i = 0; i < 20; i++) {
    const place = { folder, name: Buffer.alloc(250, 'd') };
    posix.makeFolder(place, 0o700);
    const below = posix.openFolder(place);
    posix.close(folder);
    folder = below;
  }
  const fd = posix.openFile(
    { folder, name: Buffer.from('bottom') },
    fs.constants.O_WRONLY | fs.constants.O_CREAT,
  );
  fs.writeSync(fd, 'deep content');
  for (const one of [fd, folder]) posix.close(one);
  const { events, problems } = await walk();
  assert.deepEqual(problems, []);
  const bottom = events.findLast((event) => event.kind === 'entry')!;
  assert.equal(bottom.path.at(-1)!.toString(), 'bottom');
  assert(bottom.content && 'open' in bottom.content);
  assert.equal(Buffer.from(await collect(bottom.content.open(signal))).toString(), 'deep content');
});

test('holds few descriptors, however deep the tree', async () => {
  write(`${'d/'.repeat(300)}bottom`);
  const before = fs.readdirSync('/proc/self/fd').length;
  let most = 0;
  const posix = hookedPosix((call) => {
    if (call === 'listNames') most = Math.max(most, fs.readdirSync('/proc/self/fd').length);
  });
  const result = await walk({ posix });
  assert.deepEqual(result.problems, []);
  assert.equal(inTree(result).length, 302);
  assert(most > before + 100 && most < before + 160, `${most - before}`);
  assert.equal(fs.readdirSync('/proc/self/fd').length, before);
});
