import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { collect, systemClock } from '#base';
import {
  checkRepository,
  initRepository,
  inlineExecutor,
  openRepository,
  type PackId,
  pruneRepository,
  type Repository,
  repairIndex,
  repairPacks,
  repairSnapshots,
} from '#repository';
import { filesSource } from '#sources';
import { type OpenOptions, openStorage, type Storage } from '#storage';
import { backup, restore } from '#workflows';
import { listedNames } from '../../src/storage/testing/expect.ts';
import { describeTree } from '../trees/describe-tree.ts';
import { makeNastyTree } from '../trees/nasty-tree.ts';

export const judgePassword = 'judge';
const kdf = { N: 1024, r: 8, p: 1 };
const executor = inlineExecutor();
/** After so long nobody is still writing what was begun before. */
const laterMs = 25 * 3600_000;

/** A kind of storage, at a real server. */
export interface JudgedStorage {
  /** As in the name of a test: `S3`. */
  name: string;
  location(path: string): string;
  options: OpenOptions;
  /** What another process of ours needs to open it. */
  env: NodeJS.ProcessEnv;
  /** Stock restic at a path of it. @param folder for its cache */
  restic(path: string, folder: string): (...args: string[]) => string;
  /** How much of a stream a writer must have asked for until some of it is at the server. */
  killedAtMiB: number;
}

/** A tree, and repositories of it at a storage. */
class Court {
  readonly judged: JudgedStorage;
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-judge-'));
  readonly tree = join(this.folder, 'tree');
  original: Record<string, string> = {};

  constructor(judged: JudgedStorage) {
    this.judged = judged;
  }

  makeTree(): void {
    makeNastyTree(this.tree);
    this.original = asResticKeepsIt(describeTree(this.tree));
  }

  open(path: string): Promise<Storage> {
    return openStorage(this.judged.location(path), this.judged.options);
  }

  async init(path: string): Promise<Repository> {
    return initRepository({ storage: await this.open(path), password: judgePassword, kdf, executor });
  }

  async backUp(repository: Repository) {
    const outcome = await backup({ repository, source: filesSource({ paths: [this.tree] }) });
    assert.deepEqual([outcome.state, outcome.problems], ['succeeded', []]);
    return outcome.summary;
  }
}

/** Stock restic judges what we wrote to a storage, and we read what it wrote; damage is found, and what killed writers left goes. */
export function storageJudge(judged: JudgedStorage): void {
  const court = new Court(judged);
  before(() => court.makeTree());
  after(() => rmSync(court.folder, { recursive: true, force: true }));
  testByRestic(court);
  testDamage(court);
  testKill(court);
}

function testByRestic(court: Court): void {
  const { judged, folder, tree } = court;

  test(`restic checks, restores and extends what we wrote to ${judged.name}`, async () => {
    const repository = await court.init('ours');
    await court.backUp(repository);
    const restic = judged.restic('ours', folder);
    restic('check', '--read-data');
    restic('restore', 'latest', '--target', join(folder, 'by-restic'));
    assert.deepEqual(describeTree(join(folder, 'by-restic', tree)), court.original);
    restic('backup', '--force', tree);
    const summary = await court.backUp(repository);
    assert.equal(summary.filesUnmodified, summary.totalFilesProcessed, 'restic’s snapshot is our parent');
    restic('check', '--read-data');
    await repository.storage.close();
  });

  test(`we check, restore and extend what restic wrote to ${judged.name}`, async () => {
    const restic = judged.restic('theirs', folder);
    restic('init');
    restic('backup', tree);
    const storage = await court.open('theirs');
    const repository = await openRepository({ storage, password: judgePassword, executor });
    const report = await checkRepository(repository, { readData: 'all' });
    assert.deepEqual(report.findings, []);
    assert(report.packs > 0 && report.packsRead === report.packs);
    const target = join(folder, 'by-us');
    const restored = await restore({
      repository,
      snapshot: await repository.findSnapshot('latest'),
      target,
    });
    assert.deepEqual([restored.state, restored.problems], ['succeeded', []]);
    assert.deepEqual(describeTree(join(target, tree)), court.original);
    assert.equal((await court.backUp(repository)).dataBlobs, 0);
    restic('check', '--read-data');
    await storage.close();
  });
}

function testDamage(court: Court): void {
  const { judged, folder } = court;
  for (const [kind, damage] of Object.entries(damages)) {
    test(`a pack at ${judged.name} that is ${kind} is named, restored around, repaired`, async () => {
      const path = `damaged-${kind}`;
      const repository = await court.init(path);
      await court.backUp(repository);
      const { storage } = repository;
      const [pack] = (await listedNames(storage, 'data/')).sort();
      await damage(storage, pack!);
      const id = pack!.slice(pack!.lastIndexOf('/') + 1) as PackId;
      const { findings } = await checkRepository(repository, { readData: 'all' });
      assert(findings.some((finding) => finding.gravity === 'error' && finding.pack === id));
      const snapshot = await repository.findSnapshot('latest');
      const target = join(folder, path);
      const { state, problems } = await restore({ repository, snapshot, target });
      assert.equal(state, 'partial');
      assert(problems.length > 0);
      await repairIndex(repository);
      if (kind !== 'gone') await repairPacks(repository, [id]);
      await repairSnapshots(repository, { forget: true });
      judged.restic(path, folder)('check', '--read-data');
      await storage.close();
    });
  }
}

function testKill(court: Court): void {
  const { judged, folder } = court;
  test(`a writer that is killed in the middle of a file leaves nothing visible at ${judged.name}, and the next run removes the rest`, async () => {
    const { storage } = await court.init('killed');
    const namesBefore = await listedNames(storage, '');
    await killWriter(judged, 'killed');
    assert.deepEqual(await listedNames(storage, ''), namesBefore);
    const minutesAgo = new Date(systemClock.nowMs() - 600_000);
    assert.equal(await storage.removeUnfinished!(minutesAgo), 0, 'a writer may still be at work');
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + laterMs };
    const later = await openRepository({ storage, password: judgePassword, executor, clock });
    await court.backUp(later);
    // Where a look for leftovers is dear, it is left to the next prune.
    if (!storage.capabilities.listsUnfinished) await pruneRepository(later);
    assert.equal(await storage.removeUnfinished!(new Date(systemClock.nowMs() + 60_000)), 0);
    judged.restic('killed', folder)('check', '--read-data');
    await storage.close();
  });
}

/** restic 0.14 does not know `linktarget_raw`: a byte of a link that is not UTF-8 becomes U+FFFD there. */
function asResticKeepsIt(facts: Record<string, string>): Record<string, string> {
  const key = '/kinds/link to not utf8';
  const kept = facts[key]!.replace('\xff', Buffer.from('\ufffd').toString('latin1'));
  return { ...facts, [key]: kept };
}

const damages: Record<string, (storage: Storage, name: string) => Promise<void>> = {
  flipped: async (storage, name) => {
    const bytes = await collect(storage.read(name));
    bytes[bytes.length >> 1]! ^= 1;
    await storage.write(name, bytes);
  },
  cut: async (storage, name) => {
    const bytes = await collect(storage.read(name));
    await storage.write(name, bytes.subarray(0, bytes.length >> 1));
  },
  gone: (storage, name) => storage.delete(name),
};

/** Another process streams a file until it is killed. */
async function killWriter(judged: JudgedStorage, path: string): Promise<void> {
  const worker = join(import.meta.dirname, '../../src/storage/testing/stream-worker.ts');
  const args = [...process.execArgv, worker, judged.location(path), 'data/large'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...judged.env },
  });
  const ended = once(child, 'exit');
  let askedMiB = 0;
  for await (const _line of createInterface({ input: child.stdout }))
    if (++askedMiB === judged.killedAtMiB) child.kill('SIGKILL');
  assert.deepEqual(await ended, [null, 'SIGKILL']);
}
