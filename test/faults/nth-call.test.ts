import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkRepository,
  type Repository,
  removeAllLocks,
  type StoredSnapshot,
  writeSnapshot,
} from '#repository';
import { type FaultKind, nthCall } from '../../src/storage/testing/fault-plan.ts';
import { faulty } from '../../src/storage/testing/faulty.ts';
import { differences, writeFiles } from './simulation/files.ts';
import { judge } from './simulation/judge.ts';
import type { Meant } from './simulation/ledger.ts';
import { SimulatedProcess } from './simulation/process.ts';
import { giveRepositories } from './simulation/repositories.ts';
import { World } from './simulation/world.ts';

const packSizeBytes = 2048;
const callsMax = 500;
/** Any will do. */
const seed = 17;

/** A repository with one snapshot, and a client whose Nth call fails. */
class Scene {
  readonly world = new World(seed);
  readonly process = new SimulatedProcess(this.world, {});
  readonly #setUp = new SimulatedProcess(this.world, {});
  repository!: Repository;

  async begin(): Promise<void> {
    this.repository = await this.#setUp.open(this.world.main, 'first');
    await this.backUp(this.repository, [1, 2, 3]);
  }

  async backUp(repository: Repository, numbers: number[]): Promise<StoredSnapshot> {
    const { ledger } = this.world.main;
    const meant = ledger.begin('main', new Map(numbers.map((number) => [`d/f${number}`, number])));
    const { snapshot } = await writeSnapshot(
      repository,
      { paths: ['/x'], tags: [meant.mark], packSizeBytes },
      (writer) => writeFiles(writer, meant.files, this.world.contents),
    );
    meant.state = 'reported';
    return snapshot!;
  }

  async restore(repository: Repository): Promise<string[]> {
    await using _lock = await repository.lock({ exclusive: false });
    const snapshots = await repository.snapshots();
    const { contents, main } = this.world;
    const wrong: string[] = [];
    for (const snapshot of snapshots) {
      const { files }: Meant = main.ledger.of(snapshot);
      wrong.push(...(await differences(repository, [{ snapshot, files }], contents)));
    }
    return wrong;
  }
}

type Work = (scene: Scene, repository: Repository) => Promise<void>;

/**
 * Lets the Nth call fail, for every N until the work meets no fault any more. After each: what was reported is
 * there, a full check finds no error, and the work succeeds when it is done again.
 */
async function failEveryCall(kind: FaultKind, work: Work): Promise<number> {
  for (let n = 1; n < callsMax; n++) {
    const scene = new Scene();
    const { timeline, main } = scene.world;
    await giveRepositories(scene.world);
    await timeline.run(scene.begin());
    const { clock, life } = scene.process;
    const plan = nthCall(n, kind);
    let isArmed = false;
    const storage = faulty(main.memory, {
      plan: { next: (call) => (isArmed ? plan.next(call) : undefined), unmet: plan.unmet },
      clock,
      life,
      history: main.history,
    });
    const repository = await timeline.run(scene.process.open(main, 'first', storage));
    isArmed = true;
    const died = new Promise<void>((resolve) => life.signal.addEventListener('abort', () => resolve()));
    const outcome = await timeline.run(
      Promise.race([died, work(scene, repository)]).then(
        () => 'ended' as const,
        (error: unknown) => error,
      ),
    );
    if (plan.unmet().length > 0) {
      assert.equal(outcome, 'ended', `${kind}: fails although nothing went wrong: ${outcome}`);
      return n - 1;
    }
    assert.deepEqual(await judge(scene.world), [], `${kind} at call ${n}`);
    await timeline.run(doAgain(scene, work));
    assert.deepEqual(await judge(scene.world), [], `${kind} at call ${n}, done again`);
  }
  assert.fail(`${kind}: the work makes more than ${callsMax} calls`);
}

async function doAgain(scene: Scene, work: Work): Promise<void> {
  await removeAllLocks(scene.repository);
  await work(scene, scene.repository);
  assert.ok((await checkRepository(scene.repository)).isSound);
}

const backup: Work = async (scene, repository) => {
  await scene.backUp(repository, [0, 2, 3, 4, 5, 6]);
};
const restore: Work = async (scene, repository) => {
  assert.deepEqual(await scene.restore(repository), [], 'what is restored is right');
};

/** How many calls can meet the fault at least. */
const backupFaults: [FaultKind, number][] = [
  ['fail', 10],
  ['fail-after', 6],
  ['refuse', 10],
  ['cut', 10],
  ['short', 2],
  ['delay', 10],
  ['stale', 3],
  ['crash', 10],
  ['crash-after', 6],
];
for (const [kind, callsMin] of backupFaults) {
  test(`a backup survives the fault "${kind}" at every call`, async () => {
    const calls = await failEveryCall(kind, backup);
    assert.ok(calls >= callsMin, `only ${calls} calls met it`);
  });
}

const restoreFaults: [FaultKind, number][] = [
  ['fail', 10],
  ['fail-after', 2],
  ['refuse', 10],
  ['cut', 8],
  ['short', 5],
  ['delay', 10],
  ['stale', 3],
  ['crash', 10],
  ['crash-after', 2],
];
for (const [kind, callsMin] of restoreFaults) {
  test(`a restore gives right bytes or an error when "${kind}" happens at any call`, async () => {
    const calls = await failEveryCall(kind, restore);
    assert.ok(calls >= callsMin, `only ${calls} calls met it`);
  });
}
