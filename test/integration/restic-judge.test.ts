import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkRepository, initRepository, openRepository, type Repository } from '#repository';
import { filesSource } from '#sources';
import { backup, restore } from '#workflows';
import { Restic } from '../servers/restic.ts';
import { describeTree } from '../trees/describe-tree.ts';
import { makeNastyTree } from '../trees/nasty-tree.ts';

const password = 'judge';
const kdf = { N: 1024, r: 8, p: 1 };
let folder: string;
let tree: string;
let original: Record<string, string>;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-judge-'));
  tree = join(folder, 'tree');
  makeNastyTree(tree);
  original = describeTree(tree);
  assert.ok(Object.keys(original).length > 250);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const backUp = (repository: Repository, options: { parent?: 'none' } = {}) =>
  backup({ repository, source: filesSource({ paths: [tree] }), ...options });

/** restic 0.14 does not know `linktarget_raw`: a byte of a link that is not UTF-8 becomes U+FFFD there. */
function asResticKeepsIt(facts: Record<string, string>): Record<string, string> {
  const key = '/kinds/link to not utf8';
  assert.ok(facts[key]!.endsWith('-> ./\xff'));
  return { ...facts, [key]: facts[key]!.replace('\xff', Buffer.from('\ufffd').toString('latin1')) };
}

/** Data blobs that restic's `--json` summary counts as new. */
function addedBy(output: string): { data_blobs: number; files_unmodified: number; files_new: number } {
  return JSON.parse(output.trim().split('\n').at(-1)!);
}

test('restic checks, lists and restores what we wrote, and finds nothing to add', async () => {
  const location = join(folder, 'ours');
  const repository = await initRepository({ storage: location, password, kdf });
  const { state, problems, summary } = await backUp(repository);
  assert.deepEqual({ state, problems }, { state: 'succeeded', problems: [] });
  assert.ok(summary.dataBlobs > 50);
  const restic = new Restic({ repository: location, password, folder });
  restic.run('check', '--read-data');
  restic.run('restore', 'latest', '--target', join(folder, 'by-restic'));
  assert.deepEqual(describeTree(join(folder, 'by-restic', tree)), asResticKeepsIt(original));
  const again = addedBy(restic.run('backup', '--json', '--force', tree));
  assert.equal(again.data_blobs, 0, 'restic cuts and hashes as we do');
  const third = await backUp(repository);
  assert.equal(third.summary.dataBlobs, 0);
  assert.equal(
    third.summary.filesUnmodified,
    third.summary.totalFilesProcessed,
    'restic’s snapshot is our parent',
  );
  restic.run('check', '--read-data');
});

test('we check, restore and extend what restic wrote, and find nothing to add', async () => {
  const location = join(folder, 'theirs');
  const restic = new Restic({ repository: location, password, folder });
  restic.run('init');
  restic.run('backup', tree);
  const repository = await openRepository({ storage: location, password });
  const report = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(report.findings, []);
  assert.equal(report.packsRead, report.packs);
  const target = join(folder, 'by-us');
  const restored = await restore({ repository, snapshot: await repository.findSnapshot('latest'), target });
  assert.deepEqual(
    { state: restored.state, problems: restored.problems },
    { state: 'succeeded', problems: [] },
  );
  assert.deepEqual(describeTree(join(target, tree)), asResticKeepsIt(original));
  const read = await backUp(repository, { parent: 'none' });
  assert.equal(read.summary.dataBlobs, 0, 'we cut and hash as restic does');
  const compared = await backUp(repository);
  assert.equal(compared.summary.filesUnmodified, compared.summary.totalFilesProcessed);
  restic.run('check', '--read-data');
});

test('we restore what we wrote', async () => {
  const repository = await openRepository({ storage: join(folder, 'ours'), password });
  const target = join(folder, 'round');
  const snapshot = await repository.findSnapshot('latest');
  const { state, problems } = await restore({ repository, snapshot, path: tree, target });
  assert.deepEqual({ state, problems }, { state: 'succeeded', problems: [] });
  // The folder itself is the target, which keeps its own facts.
  const { '': _target, ...restored } = describeTree(target);
  const { '': _root, ...wanted } = original;
  assert.deepEqual(restored, wanted);
});
