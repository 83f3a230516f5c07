import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { seededRandom, systemClock, systemRandom } from '#base';
import {
  copySnapshots,
  forgetSnapshots,
  initRepository,
  inlineExecutor,
  openRepository,
  pruneRepository,
  type Repository,
  removeStaleLocks,
  type StoredSnapshot,
  writeSnapshot,
} from '#repository';
import { Restic } from '../servers/restic.ts';
import { differences, writeFiles } from './simulation/files.ts';

const worker = join(import.meta.dirname, 'kill-worker.ts');
const password = 'kill';
const kdf = { N: 1024, r: 8, p: 1 };
const kills = 8;
const packSizeBytes = 32 * 1024;
const random = seededRandom(5);
const contents = Array.from({ length: 60 }, () => random.fill(new Uint8Array(1 + random.below(20_000))));

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-kill-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A local repository and what its snapshots are made of, by their one tag. */
class Victim {
  readonly location: string;
  readonly meant = new Map<string, ReadonlyMap<string, number>>();
  repository!: Repository;

  constructor(name: string) {
    this.location = join(folder, name);
  }

  async begin(): Promise<void> {
    const options = { storage: this.location, password, executor: inlineExecutor() };
    this.repository = await initRepository({ ...options, kdf });
    for (let i = 0; i < 6; i++) await this.backUp();
  }

  async backUp(): Promise<StoredSnapshot> {
    const numbers = Array.from({ length: 25 }, () => random.below(contents.length));
    const files = new Map([...new Set(numbers)].sort((a, b) => a - b).map((n) => [`f${100 + n}`, n]));
    const tag = `t${this.meant.size}`;
    this.meant.set(tag, files);
    const options = { paths: ['/x'], tags: [tag], packSizeBytes, parent: 'none' as const };
    const { snapshot } = await writeSnapshot(this.repository, options, (writer) =>
      writeFiles(writer, files, contents),
    );
    return snapshot!;
  }

  async forgetOldest(): Promise<void> {
    await forgetSnapshots(this.repository, (snapshots) => [snapshots[0]!.id]);
  }

  /** Stock restic finds no fault, and each snapshot restores to what it was made of. */
  async assertSound(snapshotCount: number): Promise<void> {
    await assertSoundAt(this.location, this.meant, snapshotCount);
  }
}

async function assertSoundAt(
  location: string,
  meant: ReadonlyMap<string, ReadonlyMap<string, number>>,
  snapshotCount: number,
): Promise<void> {
  const restic = new Restic({ repository: location, password, folder });
  restic.run('check', '--read-data', '--no-lock');
  const repository = await openRepository({ storage: location, password, executor: inlineExecutor() });
  const snapshots = (await repository.snapshots()).filter(({ paths }) => paths[0] === '/x');
  assert.equal(snapshots.length, snapshotCount);
  for (const snapshot of snapshots) {
    const files = meant.get(snapshot.tags[0]!)!;
    assert.deepEqual(await differences(repository, [{ snapshot, files }], contents), []);
  }
}

/** Kills the worker some time after it has begun. @returns how long it worked, and whether it was killed at work */
async function killAt(args: string[], afterMs: number): Promise<{ workedMs: number; isHit: boolean }> {
  const child = spawn(process.execPath, [...process.execArgv, '--conditions=src', worker, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let begunMs = 0;
  child.stdout.on('data', (text: Buffer) => {
    output += text;
    if (begunMs > 0) return;
    begunMs = systemClock.monotonicMs();
    void systemClock.sleep(afterMs, { background: true }).then(() => child.kill('SIGKILL'));
  });
  const [code] = await new Promise<[number | null]>((resolve) =>
    child.on('close', (code) => resolve([code])),
  );
  assert.ok(code === 0 || code === null, `the worker failed with ${code}`);
  return { workedMs: systemClock.monotonicMs() - begunMs, isHit: !output.includes('ended') };
}

/** Measures the work once, then kills it at instants spread over that time. */
async function killOften(args: string[], betweenKills: () => Promise<void>): Promise<void> {
  const { workedMs } = await killAt(args, 600_000);
  let hits = 0;
  for (let i = 0; i < kills; i++) {
    await betweenKills();
    if ((await killAt(args, systemRandom.below(Math.ceil(workedMs)))).isHit) hits++;
  }
  assert.ok(hits > 0, 'no kill hit the work');
}

test('a prune that is killed at any instant loses nothing, and the next one goes on', async () => {
  const victim = new Victim('prune');
  await victim.begin();
  await victim.forgetOldest();
  await killOften(['prune', victim.location], async () => {
    await removeStaleLocks(victim.repository);
    await victim.backUp();
    await victim.forgetOldest();
  });
  await victim.assertSound(5);
  await removeStaleLocks(victim.repository);
  const report = await pruneRepository(victim.repository, {
    graceMs: 0,
    packSizeBytes,
    maxUnused: { percent: 0 },
  });
  assert.equal(report.unusedBytes, 0);
  await victim.assertSound(5);
});

test('a copy that is killed at any instant loses nothing, and the next one goes on', async () => {
  const source = new Victim('copy-source');
  await source.begin();
  const target = new Victim('copy-target');
  target.repository = await initRepository({
    storage: target.location,
    password,
    executor: inlineExecutor(),
    kdf,
    chunkerPolynomial: source.repository.config.chunkerPolynomial,
  });
  await killOften(['copy', target.location, source.location], async () => {
    await removeStaleLocks(target.repository);
    await removeStaleLocks(source.repository);
    await source.backUp();
    await source.backUp();
  });
  await removeStaleLocks(target.repository);
  await removeStaleLocks(source.repository);
  await copySnapshots(source.repository, target.repository, { packSizeBytes });
  await assertSoundAt(target.location, source.meant, source.meant.size);
});

test('a backup that is killed at any instant leaves all others whole, and the next one goes on', async () => {
  const victim = new Victim('backup');
  await victim.begin();
  await killOften(['backup', victim.location], async () => {
    await removeStaleLocks(victim.repository);
  });
  await removeStaleLocks(victim.repository);
  await victim.backUp();
  await victim.assertSound(7);
  await pruneRepository(victim.repository, { graceMs: 0, packSizeBytes });
  await victim.assertSound(7);
});
