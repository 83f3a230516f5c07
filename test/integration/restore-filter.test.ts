import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { initRepository, type Repository, type StoredSnapshot } from '#repository';
import { filesSource } from '#sources';
import { backup, type RestoreFilterOptions, restore, restoreFilter } from '#workflows';
import { Restic } from '../servers/restic.ts';
import { describeTree } from '../trees/describe-tree.ts';

const password = 'filter';
let folder: string;
let tree: string;
let restic: Restic;
let repository: Repository;
let snapshot: StoredSnapshot;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-filter-'));
  tree = join(folder, 'tree');
  for (const name of [
    'a/b/c.txt',
    'a/b/d',
    'a/e.txt',
    'build/out',
    'src/build/x.TXT',
    'src/main.go',
    'z.txt',
    'Z/y',
  ]) {
    mkdirSync(join(tree, name, '..'), { recursive: true });
    writeFileSync(join(tree, name), name);
  }
  mkdirSync(join(tree, 'empty'));
  symlinkSync('z.txt', join(tree, 'a/link.txt'));
  const storage = join(folder, 'repository');
  repository = await initRepository({ storage, password, kdf: { N: 1024, r: 8, p: 1 } });
  snapshot = (await backup({ repository, source: filesSource({ paths: [tree] }) })).snapshot!;
  restic = new Restic({ repository: storage, password, folder });
});
after(() => rmSync(folder, { recursive: true, force: true }));

const within = (patterns: readonly string[] = []) => patterns.map((one) => one.replaceAll('TREE', tree));

async function compare(options: RestoreFilterOptions, theirs: string[]): Promise<void> {
  const [ours, wanted] = [mkdtempSync(join(folder, 'ours-')), mkdtempSync(join(folder, 'theirs-'))];
  const { state, problems } = await restore({
    repository,
    snapshot,
    target: ours,
    isWanted: restoreFilter(options),
  });
  assert.deepEqual([state, problems], ['succeeded', []]);
  restic.run('restore', snapshot.id, '--target', wanted, ...within(theirs));
  const { '': _ours, ...found } = describeTree(ours);
  const { '': _theirs, ...expected } = describeTree(wanted);
  assert.deepEqual(found, expected);
}

const includes: string[][] = [
  ['*.txt'],
  ['TREE/a'],
  ['TREE/a/b/c.txt'],
  ['TREE/*/b'],
  ['TREE/**/d'],
  ['TREE/src/**/x.TXT'],
  ['build'],
  ['src/build'],
  ['empty'],
  ['nothing like it'],
  ['/nowhere/at/all'],
  ['a', '!a/b'],
  ['*.txt', 'TREE/build'],
  ['TREE'],
  ['/'],
  ['*'],
];

suite('what is restored is what restic restores', () => {
  for (const patterns of includes)
    test(`--include ${JSON.stringify(patterns)}`, () =>
      compare(
        { includes: within(patterns) },
        patterns.map((one) => `--include=${one}`),
      ));
  for (const patterns of [['*.TXT'], ['SRC'], ['z']])
    test(`--iinclude ${JSON.stringify(patterns)}`, () =>
      compare(
        { includesIgnoringCase: patterns },
        patterns.map((one) => `--iinclude=${one}`),
      ));
  for (const patterns of [['*.txt'], ['build'], ['TREE/a/*'], ['TREE/**/build'], ['a', '!a/b'], ['TREE']])
    test(`--exclude ${JSON.stringify(patterns)}`, () =>
      compare(
        { excludes: within(patterns) },
        patterns.map((one) => `--exclude=${one}`),
      ));
  test('--iexclude', () =>
    compare({ excludesIgnoringCase: ['*.TXT', 'Z'] }, ['--iexclude=*.TXT', '--iexclude=Z']));
});

test('includes and excludes together, which restic 0.14 refuses: an exclude wins', async () => {
  const target = mkdtempSync(join(folder, 'both-'));
  const isWanted = restoreFilter({ includes: ['*.txt', 'src'], excludes: ['b', 'build'] });
  await restore({ repository, snapshot, path: tree, target, isWanted });
  const found = readdirSync(target, { recursive: true, encoding: 'utf8' }).sort();
  assert.deepEqual(found, ['a', 'a/e.txt', 'a/link.txt', 'src', 'src/main.go', 'z.txt']);
});

test('a folder on the way that cannot be made is told once, and nothing below it is written', async () => {
  const target = mkdtempSync(join(folder, 'way-'));
  writeFileSync(join(target, 'a'), 'mine');
  const isWanted = restoreFilter({ includes: ['c.txt', 'e.txt', 'z.txt'] });
  const { state, problems } = await restore({
    repository,
    snapshot,
    path: tree,
    target,
    isWanted,
    overwrite: 'never',
  });
  assert.equal(state, 'partial');
  assert.deepEqual(
    problems.map(({ path, error }) => `${path}: ${error.message}`),
    ['/a: a file is in the way'],
  );
  assert.deepEqual(readdirSync(target).sort(), ['a', 'z.txt']);
});

test('a malformed pattern is refused before anything is done', () => {
  assert.throws(() => restoreFilter({ includes: ['['] }), { code: 'sources.pattern' });
});
