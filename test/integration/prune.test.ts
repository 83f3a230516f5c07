import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Clock, seededRandom, systemClock } from '#base';
import {
  checkRepository,
  initRepository,
  inlineExecutor,
  pruneRepository,
  type Repository,
} from '#repository';
import { filesSource } from '#sources';
import { backup, forget } from '#workflows';
import { Restic } from '../servers/restic.ts';
import { describeTree } from '../trees/describe-tree.ts';

const password = 'judge';
const kdf = { N: 1024, r: 8, p: 1 };
const minuteMs = 60_000;
const graceMs = 60 * minuteMs;
const random = seededRandom(30);
let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-prune-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A folder that changes: files come, grow, move and go. */
class EvolvingTree {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, 'sub'), { recursive: true });
    for (let i = 0; i < 12; i++) this.#write(`file-${i}`, 1 + random.below(200_000));
    this.#write('sub/large', 3 * 1024 * 1024);
  }

  evolve(step: number): void {
    const names = readdirSync(this.path).filter((name) => name.startsWith('file-'));
    rmSync(join(this.path, names[random.below(names.length)]!));
    this.#write(names[random.below(names.length)]!, 1 + random.below(300_000));
    this.#write(`file-new-${step}`, random.below(100_000));
    mkdirSync(join(this.path, `folder-${step % 4}`), { recursive: true });
    this.#write(`folder-${step % 4}/text-${step}`, 5000);
    if (step % 5 === 0) this.#write('sub/large', 3 * 1024 * 1024);
    if (step % 7 === 0) cpSync(join(this.path, 'sub'), join(this.path, `copy-${step}`), { recursive: true });
  }

  #write(name: string, sizeBytes: number): void {
    writeFileSync(join(this.path, name), random.fill(new Uint8Array(sizeBytes)));
  }
}

/** One repository, pruned in turns by us and by restic; what was saved is known for each snapshot. */
class Trial {
  readonly tree: EvolvingTree;
  readonly restic: Restic;
  readonly repository: Repository;
  readonly saved = new Map<string, Record<string, string>>();

  constructor(tree: EvolvingTree, restic: Restic, repository: Repository) {
    this.tree = tree;
    this.restic = restic;
    this.repository = repository;
  }

  async backUp(): Promise<void> {
    const { repository, tree } = this;
    const { state, snapshot } = await backup({ repository, source: filesSource({ paths: [tree.path] }) });
    assert.equal(state, 'succeeded');
    this.saved.set(snapshot!.id, describeTree(tree.path));
  }

  async backUpByRestic(): Promise<void> {
    this.restic.run('backup', this.tree.path);
    const known = new Set(this.saved.keys());
    const [snapshot] = (await this.repository.snapshots()).filter(({ id }) => !known.has(id));
    this.saved.set(snapshot!.id, describeTree(this.tree.path));
  }

  async forget(): Promise<void> {
    const { groups } = await forget({ repository: this.repository, policy: { last: 5 }, groupBy: ['paths'] });
    for (const dropped of groups.flatMap((group) => group.forget)) this.saved.delete(dropped.id);
    const left = (await this.repository.snapshots()).map(({ id }) => id);
    assert.deepEqual(new Set(left), new Set(this.saved.keys()));
  }

  assertRestores(id: string): void {
    const target = join(folder, 'restored');
    this.restic.run('restore', id, '--target', target, '--no-lock');
    assert.deepEqual(describeTree(join(target, this.tree.path)), this.saved.get(id));
    rmSync(target, { recursive: true });
  }
}

test('restic finds 30 evolving snapshots whole while both prune between them', async () => {
  let laterMs = 0;
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + laterMs };
  const location = join(folder, 'evolving');
  const repository = await initRepository({
    storage: location,
    password,
    kdf,
    clock,
    executor: inlineExecutor(),
  });
  const restic = new Restic({ repository: location, password, folder });
  const trial = new Trial(new EvolvingTree(join(folder, 'tree')), restic, repository);
  const totals = { marked: 0, deleted: 0, recovered: 0, repacked: 0, byRestic: 0 };
  const prune = async (options: { graceMs: number }): Promise<void> => {
    const { packs } = await pruneRepository(repository, { ...options, maxUnused: { percent: 2 } });
    totals.marked += packs.marked.count;
    totals.deleted += packs.deleted.count;
    totals.recovered += packs.recovered.count;
    totals.repacked += packs.repacked.count;
  };
  const turns = [
    () => prune({ graceMs }),
    () => prune({ graceMs: 0 }),
    () => prune({ graceMs }),
    () => prune({ graceMs }),
    async () => {
      // It takes what we marked for orphans, and rewrites our index.
      restic.run('prune', '--max-unused', '0');
      totals.byRestic++;
    },
  ];
  for (let step = 1; step <= 30; step++) {
    laterMs += 35 * minuteMs;
    trial.tree.evolve(step);
    if (step % 4 === 0) await trial.backUpByRestic();
    else await trial.backUp();
    if (step % 2 === 1) continue;
    await trial.forget();
    await turns[(step / 2) % turns.length]!();
    assert.match(restic.run('check', '--read-data', '--no-lock'), /no errors were found/);
    if (step % 6 === 0) for (const id of [...trial.saved.keys()].slice(0, 2)) trial.assertRestores(id);
  }
  for (const id of trial.saved.keys()) trial.assertRestores(id);
  assert.ok(totals.marked > 20 && totals.deleted > 20 && totals.repacked > 5, JSON.stringify(totals));
  assert.deepEqual([totals.recovered, totals.byRestic], [0, 3]);
  const last = await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
  assert.equal(last.unusedBytes, 0);
  assert.match(restic.run('prune', '--max-unused', '0', '--dry-run'), /to delete: +0 blobs/);
  assert.deepEqual((await checkRepository(repository, { readData: 'all' })).findings, []);
  restic.run('check', '--read-data', '--no-lock');
});
