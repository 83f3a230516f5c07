import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, suite, test } from 'node:test';
import { initRepository, type Repository } from '#repository';
import { filesSource, type Source, type SourceEvent, streamSource } from '#sources';
import { backup } from '#workflows';
import { Restic } from '../servers/restic.ts';

const password = 'problems';
const MiB = 1024 * 1024;
let root: string;
let tree: string;
let repository: Repository;
let restic: Restic;

before(async () => {
  root = fs.mkdtempSync(join(tmpdir(), 'holdfast-problems-'));
  const storage = join(root, 'repository');
  repository = await initRepository({ storage, password, kdf: { N: 1024, r: 8, p: 1 } });
  restic = new Restic({ repository: storage, password, folder: root });
});
beforeEach(() => {
  tree = fs.mkdtempSync(join(root, 'tree-'));
});
after(() => {
  restic.run('check', '--read-data');
  fs.rmSync(root, { recursive: true, force: true });
});

/** The same source, with a moment between an entry being seen and its content being read. */
function meddled(source: Source, meddle: (name: string, event: SourceEvent) => void): Source {
  return {
    ...source,
    async *read(signal) {
      for await (const event of source.read(signal)) {
        if (event.kind === 'entry') meddle(event.path.at(-1)!.toString(), event);
        yield event;
      }
    },
  };
}

async function backUpMeddled(meddle: (name: string) => void) {
  const source = meddled(filesSource({ paths: [tree] }), meddle);
  const { state, problems, snapshot } = await backup({ repository, source });
  const said = problems.map(
    ({ path, error, gravity }) => `${gravity} ${path.replace(tree, '')}: ${error.message}`,
  );
  return { state, said, snapshot: snapshot! };
}

/** What stock restic gives back of one file; undefined when the snapshot does not have it. */
function restored(id: string, name: string): Buffer | undefined {
  const target = fs.mkdtempSync(join(root, 'restored-'));
  restic.run('restore', id, '--target', target);
  const path = join(target, tree, name);
  return fs.existsSync(path) ? fs.readFileSync(path) : undefined;
}

suite('a file that changes between the walk and the reading', () => {
  for (const [size, sizeBytes] of [
    ['small', 1000],
    ['large', 9 * MiB],
  ] as const) {
    const content = Buffer.alloc(sizeBytes, 'before ');
    const make = (): string => {
      fs.writeFileSync(join(tree, 'a'), 'first');
      fs.writeFileSync(join(tree, 'file'), content);
      fs.writeFileSync(join(tree, 'z'), 'last');
      return join(tree, 'file');
    };
    const changed = 'odd /file: the file changed while it was read; the snapshot has it as it was read';

    test(`${size}: that grew is saved as it was read`, async () => {
      const path = make();
      const { state, said, snapshot } = await backUpMeddled((name) => {
        if (name === 'file') fs.appendFileSync(path, Buffer.alloc(2 * MiB, 'more '));
      });
      assert.deepEqual([state, said], ['warning', [changed]]);
      assert.deepEqual(restored(snapshot.id, 'file'), fs.readFileSync(path));
    });

    test(`${size}: that shrank is saved as it was read`, async () => {
      const path = make();
      const { state, said, snapshot } = await backUpMeddled((name) => {
        if (name === 'file') fs.truncateSync(path, 10);
      });
      assert.deepEqual([state, said], ['warning', [changed]]);
      assert.equal(restored(snapshot.id, 'file')?.toString(), 'before bef');
    });

    test(`${size}: that was emptied is saved empty`, async () => {
      const path = make();
      const { state, snapshot } = await backUpMeddled((name) => {
        if (name === 'file') fs.truncateSync(path, 0);
      });
      assert.equal(state, 'warning');
      assert.equal(restored(snapshot.id, 'file')?.length, 0);
    });

    test(`${size}: that vanished is odd, and the rest is saved`, async () => {
      const path = make();
      const { state, said, snapshot } = await backUpMeddled((name) => {
        if (name === 'file') fs.rmSync(path);
      });
      assert.equal(state, 'warning');
      assert.match(said.join('\n'), /^odd \/file: ENOENT[^\n]*$/);
      assert.equal(restored(snapshot.id, 'file'), undefined);
      assert.equal(restored(snapshot.id, 'z')?.toString(), 'last');
    });

    for (const [what, become, why] of [
      ['a link', (path: string) => fs.symlinkSync('/etc/passwd', path), /ELOOP/],
      ['a folder', (path: string) => fs.mkdirSync(path), /EISDIR/],
      ['a FIFO', (path: string) => execFileSync('mknod', [path, 'p']), /no regular file/],
    ] as const)
      test(`${size}: that became ${what} is lost, and the rest is saved`, async () => {
        const path = make();
        const { state, said, snapshot } = await backUpMeddled((name) => {
          if (name !== 'file') return;
          fs.rmSync(path);
          become(path);
        });
        assert.equal(state, 'partial');
        assert.equal(said.length, 1);
        assert.match(said[0]!, /^lost \/file: /);
        assert.match(said[0]!, why);
        assert.equal(restored(snapshot.id, 'file'), undefined);
        assert.equal(restored(snapshot.id, 'z')?.toString(), 'last');
      });
  }

  test('is read again by the next backup', async () => {
    const path = join(tree, 'file');
    fs.writeFileSync(path, 'one');
    await backUpMeddled((name) => {
      if (name === 'file') fs.appendFileSync(path, ' and two');
    });
    const { state, snapshot } = await backUpMeddled(() => {});
    assert.equal(state, 'succeeded');
    assert.equal(restored(snapshot.id, 'file')?.toString(), 'one and two');
  });
});

test('what may not be read makes the backup partial, and the rest is saved', async () => {
  for (const name of ['a', 'closed', 'z']) fs.writeFileSync(join(tree, name), name);
  fs.mkdirSync(join(tree, 'shut'));
  fs.writeFileSync(join(tree, 'shut/x'), 'x');
  for (const name of ['closed', 'shut']) fs.chmodSync(join(tree, name), 0);
  const script = join(import.meta.dirname, '../../src/workflows/testing/backup-worker.ts');
  for (const path of [root, tree]) fs.chmodSync(path, 0o755);
  const storage = join(root, 'of-nobody');
  execFileSync('install', ['-d', '-o', '65534', storage]);
  const output = execFileSync(process.execPath, [...process.execArgv, script, storage, tree], {
    uid: 65_534,
    gid: 65_534,
    encoding: 'utf8',
  });
  const { state, problems } = JSON.parse(output) as { state: string; problems: string[] };
  assert.equal(state, 'partial');
  assert.deepEqual(problems.map((text) => text.replace(tree, '').replace(/:.*/, '')).sort(), [
    'lost /closed',
    'lost /shut',
  ]);
  const nobodys = new Restic({ repository: storage, password: 'nobody', folder: root });
  const listed = nobodys.run('ls', 'latest', tree);
  for (const name of ['a', 'shut', 'z']) assert(listed.includes(`${tree}/${name}\n`), name);
  assert(!listed.includes('closed'));
});

suite('a stream', () => {
  const streamOf = (name: string, open: () => AsyncIterable<Uint8Array>) =>
    streamSource({ name, open, modifiedAt: new Date('2026-01-02T03:04:05Z') });

  test('becomes one file under its name, with its folders', async () => {
    const content = Buffer.alloc(3 * MiB, 'row\n');
    const source = streamOf('dumps/shop.sql', async function* () {
      for (let at = 0; at < content.length; at += 65_000) yield content.subarray(at, at + 65_000);
    });
    const { state, snapshot, summary } = await backup({ repository, source });
    assert.deepEqual([state, summary.totalBytesProcessed], ['succeeded', content.length]);
    assert.deepEqual(snapshot!.paths, ['/dumps/shop.sql']);
    assert.equal(restic.run('dump', snapshot!.id, '/dumps/shop.sql'), content.toString());
  });

  test('may be empty', async () => {
    const { state, snapshot } = await backup({
      repository,
      source: streamOf('empty', async function* () {}),
    });
    assert.equal(state, 'succeeded');
    assert.equal(restic.run('dump', snapshot!.id, '/empty'), '');
  });

  for (const pieces of [0, 1, 40])
    test(`that fails after ${pieces} pieces leaves no snapshot`, async () => {
      const before = await repository.snapshots();
      const source = streamOf('cut.sql', async function* () {
        for (let i = 0; i < pieces; i++) yield Buffer.alloc(MiB / 2, `${i}`);
        throw new Error('the command ended with 1');
      });
      await assert.rejects(backup({ repository, source }), /^Error: the command ended with 1$/);
      assert.equal((await repository.snapshots()).length, before.length);
    });

  test('that cannot be opened leaves no snapshot', async () => {
    const before = await repository.snapshots();
    const source = streamOf('cut.sql', () => {
      throw new Error('no such command');
    });
    await assert.rejects(backup({ repository, source }), /no such command/);
    assert.equal((await repository.snapshots()).length, before.length);
  });

  test('needs a name', () => {
    for (const name of ['', '/', '..', 'a\0b'])
      assert.throws(() => streamOf(name, async function* () {}), { code: 'sources.location' });
  });
});
