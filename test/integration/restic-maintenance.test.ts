import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { seededRandom } from '#base';
import {
  addKey,
  changePassword,
  changeTags,
  copySnapshots,
  initRepository,
  openRepository,
  removeKey,
} from '#repository';
import { Restic } from '../servers/restic.ts';

const kdf = { N: 1024, r: 8, p: 1 };
const password = 'theirs';
let folder: string;
let tree: string;
let theirs: string;
let restic: Restic;
const content = seededRandom(11).fill(new Uint8Array(5_000_000));

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-maintenance-'));
  tree = join(folder, 'tree');
  theirs = join(folder, 'theirs');
  mkdirSync(tree);
  writeFileSync(join(tree, 'large'), content);
  writeFileSync(join(tree, 'small'), 'small');
  restic = new Restic({ repository: theirs, password, folder });
  restic.run('init');
  restic.run('backup', '--tag', 'first', tree);
  writeFileSync(join(tree, 'new'), 'new');
  restic.run('backup', tree);
});
after(() => rmSync(folder, { recursive: true, force: true }));

interface ListedSnapshot {
  id: string;
  original?: string;
  tags?: string[];
  tree: string;
}

const listed = (by: Restic, ...args: string[]): ListedSnapshot[] =>
  JSON.parse(by.run('snapshots', '--json', ...args));

test('restic restores what we copied from its repository, and takes it for copied already', async () => {
  const from = await openRepository({ storage: theirs, password });
  const ours = join(folder, 'ours');
  const { chunkerPolynomial } = from.config;
  const to = await initRepository({ storage: ours, password: 'ours', kdf, chunkerPolynomial });
  const report = await copySnapshots(from, to);
  assert.deepEqual([report.copied.length, report.failed, report.cutsDiffer], [2, [], false]);
  const judge = new Restic({ repository: ours, password: 'ours', folder });
  judge.run('check', '--read-data');
  const originals = listed(judge).map(({ original, tree: id, tags }) => ({ original, id, tags }));
  assert.deepEqual(
    originals,
    listed(restic).map(({ id, tree: root, tags }) => ({ original: id, id: root, tags })),
  );
  judge.run('restore', 'latest', '--target', join(folder, 'restored'));
  assert.ok(readFileSync(join(folder, 'restored', tree, 'large')).equals(content));
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password);
  const copied = judge.run('copy', '--from-repo', theirs, '--from-password-file', passwordFile);
  assert.equal(copied.match(/was already copied/g)?.length, 2);
  const again = judge.run('backup', '--json', '--force', tree).trim().split('\n').at(-1)!;
  assert.equal(JSON.parse(again).data_blobs, 0, 'both cut alike');
});

test('what restic copied we take for copied already', async () => {
  const copy = join(folder, 'by-restic');
  const judge = new Restic({ repository: copy, password: 'other', folder });
  judge.run('init');
  const passwordFile = join(folder, 'password-2');
  writeFileSync(passwordFile, password);
  judge.run('copy', '--from-repo', theirs, '--from-password-file', passwordFile);
  const from = await openRepository({ storage: theirs, password });
  const to = await openRepository({ storage: copy, password: 'other' });
  const report = await copySnapshots(from, to);
  assert.deepEqual([report.copied, report.present.length, report.cutsDiffer], [[], 2, true]);
});

test('restic finds our tags, and we go on with its own', async () => {
  const repository = await openRepository({ storage: theirs, password });
  const before = await repository.snapshots();
  await changeTags(repository, before, { add: ['ours'] });
  assert.equal(listed(restic, '--tag', 'ours').length, 2);
  restic.run('tag', '--add', 'theirs');
  const changed = await changeTags(repository, await repository.snapshots(), { remove: ['first'] });
  assert.deepEqual(
    changed.map(({ after }) => after.tags),
    [['ours', 'theirs']],
  );
  assert.deepEqual(
    listed(restic).map(({ original }) => original),
    before.map(({ id }) => id),
  );
  restic.run('check', '--read-data');
});

test('restic opens with a key of ours, and no more when it is gone', async () => {
  const repository = await openRepository({ storage: theirs, password });
  const id = await addKey(repository, { password: 'added', kdf });
  const added = new Restic({ repository: theirs, password: 'added', folder });
  assert.match(added.run('key', 'list'), new RegExp(`\\*${id.slice(0, 8)}`));
  await removeKey(repository, id);
  assert.notEqual(added.try('snapshots').status, 0);
  await changePassword(repository, { password: 'changed', kdf });
  assert.notEqual(restic.try('snapshots').status, 0);
  const changed = new Restic({ repository: theirs, password: 'changed', folder });
  changed.run('check', '--read-data');
});
