import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changeTags,
  copySnapshots,
  forgetSnapshots,
  pruneRepository,
  type Repository,
  RepositoryError,
  removeStaleLocks,
  type StoredSnapshot,
  writeSnapshot,
} from '#repository';
import { writeFiles } from './simulation/files.ts';
import { judge } from './simulation/judge.ts';
import { SimulatedProcess } from './simulation/process.ts';
import { giveRepositories } from './simulation/repositories.ts';
import { type PlannedSleep, SleepyStorage } from './simulation/sleepy-storage.ts';
import { type Place, World } from './simulation/world.ts';

const minuteMs = 60_000;
const packSizeBytes = 2048;
/** Longer than a lock lives, and than what the others do meanwhile. */
const sleepMs = 100 * minuteMs;
/** After so long others may remove the sleeper's lock. */
const staleMs = 35 * minuteMs;
/** What a source may take between two files: then the lock is refreshed meanwhile. */
const slowMs = 6 * minuteMs;

/** A world in which one process falls asleep at its work. */
class Night {
  readonly world = new World(2);
  readonly place: Place = this.world.main;
  readonly other = new SimulatedProcess(this.world, {});
  repository!: Repository;
  first!: StoredSnapshot;

  async begin(): Promise<void> {
    this.repository = await this.open(this.other);
    this.first = await this.backUp(this.repository, [1, 2, 3, 4]);
    await this.backUp(this.repository, [1, 2, 8]);
  }

  open(process: SimulatedProcess, storage = process.connect(this.place)): Promise<Repository> {
    return process.open(this.place, 'first', storage);
  }

  /** Backs up the contents of these numbers; `pause` comes before the last one. */
  async backUp(
    repository: Repository,
    numbers: number[],
    options: { isBySleeper?: boolean; pause?: () => Promise<void> } = {},
  ): Promise<StoredSnapshot> {
    const meant = this.place.ledger.begin('main', new Map(numbers.map((number) => [`f${number}`, number])));
    meant.isBySleeper = options.isBySleeper ?? false;
    const all = [...meant.files];
    const { snapshot } = await writeSnapshot(
      repository,
      { paths: ['/x'], tags: [meant.mark], packSizeBytes },
      async (writer) => {
        await writeFiles(writer, new Map(all.slice(0, -1)), this.world.contents);
        await options.pause?.();
        await writeFiles(writer, new Map(all.slice(-1)), this.world.contents);
      },
    );
    meant.state = 'reported';
    return snapshot!;
  }

  /** While the sleeper sleeps, others take its lock away, free all space at once and go on. */
  async othersWork(): Promise<void> {
    const { repository } = this;
    await removeStaleLocks(repository);
    this.place.ledger.of(this.first).state = 'given up';
    await forgetSnapshots(repository, [this.first.id]);
    await pruneRepository(repository, { graceMs: 0, packSizeBytes, maxUnused: { percent: 0 } });
    await this.backUp(repository, [2, 8, 9]);
  }

  /** Everything once more, by somebody who was not there. */
  async goOn(): Promise<void> {
    await this.world.timeline.sleep(staleMs);
    const repository = await this.open(new SimulatedProcess(this.world, {}));
    await removeStaleLocks(repository);
    await this.backUp(repository, [1, 2, 3, 4, 5, 6, 7]);
    await pruneRepository(repository, { graceMs: 0, packSizeBytes });
  }
}

type SleepersWork = (night: Night, repository: Repository, process: SimulatedProcess) => Promise<unknown>;

const works: Record<string, SleepersWork> = {
  backup: (night, repository) => night.backUp(repository, [1, 2, 3, 4, 5, 6], { isBySleeper: true }),
  'slow backup': (night, repository, { clock }) =>
    night.backUp(repository, [1, 2, 3, 4, 5, 6], { isBySleeper: true, pause: () => clock.sleep(slowMs) }),
  prune: async (night, repository) => {
    night.place.ledger.of(night.first).state = 'given up';
    await forgetSnapshots(repository, [night.first.id]);
    await pruneRepository(repository, { graceMs: 0, packSizeBytes, maxUnused: { percent: 0 } });
  },
  tag: async (_night, repository) => changeTags(repository, await repository.snapshots(), { add: ['new'] }),
  copy: async (night, repository, process) => {
    const from = await process.open(night.world.mirror, 'first');
    const meant = night.world.mirror.ledger.begin('mirror', new Map([5, 6, 7].map((n) => [`f${n}`, n])));
    await writeSnapshot(from, { paths: ['/y'], tags: [meant.mark], packSizeBytes }, (writer) =>
      writeFiles(writer, meant.files, night.world.contents),
    );
    meant.state = 'reported';
    const copy = night.place.ledger.beginCopy(meant);
    copy.isBySleeper = true;
    await copySnapshots(from, repository, { packSizeBytes });
    copy.state = 'reported';
  },
};

/** @returns the number of the sleeper's calls, and what is wrong in the morning */
async function sleepThrough(work: SleepersWork, sleep: PlannedSleep) {
  const night = new Night();
  const { timeline } = night.world;
  await giveRepositories(night.world);
  await timeline.run(night.begin());
  const process = new SimulatedProcess(night.world, {});
  const storage = new SleepyStorage(process.connect(night.place), process.clock, sleep);
  const repository = await timeline.run(night.open(process, storage));
  storage.callCount = 0;
  const ended = work(night, repository, process).then(
    () => undefined,
    (error: unknown) => error,
  );
  const nightEndsMs = timeline.nowMs + sleep.durationMs;
  await timeline.run(timeline.sleep(staleMs + slowMs));
  if (storage.callCount < sleep.at) return { calls: storage.callCount, wrong: [] };
  await timeline.run(night.othersWork());
  assert.ok(timeline.nowMs < nightEndsMs, 'the others were done before the sleeper woke');
  const error = await timeline.run(ended);
  assert.ok(error === undefined || error instanceof RepositoryError || isStorageError(error), String(error));
  await timeline.run(night.goOn());
  return { calls: storage.callCount, wrong: await judge(night.world) };
}

const isStorageError = (error: unknown): boolean => error instanceof Error && error.name === 'StorageError';

for (const [name, work] of Object.entries(works)) {
  for (const when of ['before', 'after'] as const) {
    test(`a ${name} that sleeps ${when} its Nth call loses nothing that was reported, for every N`, async () => {
      const wrong: string[] = [];
      let at = 1;
      for (; ; at++) {
        const result = await sleepThrough(work, { at, when, durationMs: sleepMs });
        if (result.calls < at) break;
        wrong.push(...result.wrong.map((what) => `call ${at}: ${what}`));
      }
      assert.ok(at > 8, `only ${at} calls were made`);
      assert.deepEqual(wrong, []);
    });
  }
}
