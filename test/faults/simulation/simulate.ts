import { HoldfastError } from '#base';
import { type CheckOptions, forgetSnapshots, type Repository } from '#repository';
import type { Storage } from '#storage';
import { brokenSnapshots, judge } from './judge.ts';
import { SimulatedProcess } from './process.ts';
import { clientsMax, giveRepositories } from './repositories.ts';
import { BrokenPromise, backup, type Opened, prune, unlock, works } from './work.ts';
import { type Place, World } from './world.ts';

const minuteMs = 60_000;
const worksMin = 3;
const worksMax = 8;
const restartMsMax = 45 * minuteMs;
/** Between two works: most follow at once, so that clients meet. */
const pausesMsMax = [1_000, 1_000, 1_000, 2 * minuteMs, 300 * minuteMs];
/** Until every lock of the dead is stale, whatever the clocks say. */
const staleMs = 35 * minuteMs;
const openAttemptsMax = 3;
/** The mirror of one world in so many is worked on after the end too. */
const mirrorGoesOnEvery = 4;
/** One process in so many works on the mirror. */
const mainShare = 5;

export interface SimulationResult {
  seed: number;
  mood: string;
  /** What was promised and did not hold; empty when all is well. */
  wrong: string[];
  /** Of trace and stored bytes: the same for each run of the seed. */
  digest: string;
  trace: readonly string[];
  tally: [string, number][];
}

/**
 * Runs the world of one seed from its first backup to its end.
 * @param outside storages of the real world, empty ones, instead of memory
 */
export async function simulate(
  seed: number,
  outside?: { main: Storage; mirror: Storage },
): Promise<SimulationResult> {
  const simulation = new Simulation(new World(seed, outside));
  await simulation.run();
  const { world } = simulation;
  const { mood, wrong, trace, tally } = world;
  return { seed, mood, wrong, digest: world.digest(), trace: trace.lines, tally: tally.entries() };
}

class Simulation {
  readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  async run(): Promise<void> {
    const { timeline, random } = this.world;
    try {
      await giveRepositories(this.world);
      const clients = Array.from({ length: 1 + random.below(clientsMax) }, () => this.#client());
      await timeline.run(Promise.all(clients));
      await this.#judge('at the end', { readData: 'all' });
      const isMirrorsTurn = this.world.seed % mirrorGoesOnEvery === 0;
      for (const place of isMirrorsTurn ? this.world.places : [this.world.main]) {
        if (this.world.wrong.length === 0) await timeline.run(this.#goOn(place));
      }
      await this.#judge('after the next run', { readData: 'all' });
    } catch (error) {
      this.#blame('the simulation itself', error);
    }
  }

  /** One after the other, the processes that a client starts, until its work is done. */
  async #client(): Promise<void> {
    const { world } = this;
    const random = world.randomFor(world.newProcessNumber());
    const left = { works: worksMin + random.below(worksMax - worksMin + 1) };
    while (left.works > 0 && this.world.wrong.length === 0) {
      const process = new SimulatedProcess(world, world.rates);
      const death = new Promise<'died'>((resolve) =>
        process.life.signal.addEventListener('abort', () => resolve('died')),
      );
      if ((await Promise.race([this.#live(process, left), death])) === 'died') {
        await this.#judge(`after ${process.name} died at ${process.work}`);
        await world.timeline.sleep(random.below(restartMsMax));
      }
    }
  }

  async #live(process: SimulatedProcess, left: { works: number }): Promise<void> {
    const { random, clock } = process;
    const place = random.below(mainShare) === 0 ? this.world.mirror : this.world.main;
    let opened: Opened | undefined;
    for (let attempt = 1; !opened && attempt <= openAttemptsMax; attempt++) {
      opened = await this.#attempt(process, () => this.#open(process, place));
    }
    while (opened && left.works > 0 && this.world.wrong.length === 0) {
      left.works--;
      await clock.sleep(random.below(pausesMsMax[random.below(pausesMsMax.length)]!));
      const name = chooseWork(random.below(weightSum));
      process.work = name;
      const current = opened;
      await this.#attempt(process, () => works[name]!.work(process, current));
    }
    if (!opened) left.works--;
  }

  async #open(process: SimulatedProcess, place: Place): Promise<Opened> {
    process.work = 'open';
    const { keys } = place.ledger;
    const { passwords } = keys[process.random.below(keys.length)]!;
    const repository = await process.open(place, passwords[process.random.below(passwords.length)]!);
    return { place, repository };
  }

  /** Tries, and passes over what may fail in this world. */
  async #attempt<T>(process: SimulatedProcess, work: () => Promise<T>): Promise<T | undefined> {
    const { world } = this;
    const what = `${process.name} ${process.work}`;
    world.note(`${what}: begins`);
    world.tally.add(`${process.work} × begun`);
    try {
      const result = await work();
      world.note(`${what}: done`);
      world.tally.add(`${process.work} × done`);
      return result;
    } catch (error) {
      world.note(`${what}: ${error}`);
      if (!isExcused(error, world.mood)) this.#blame(what, error);
      return undefined;
    }
  }

  /** Once all have ended and their locks are stale, a program without bad luck can do everything. */
  async #goOn(place: Place): Promise<void> {
    const { world } = this;
    await world.timeline.sleep(staleMs);
    const process = new SimulatedProcess(world, {});
    const repository = await openWithAny(process, place);
    const opened = { place, repository };
    process.work = 'rescue';
    await unlock(process, opened);
    await this.#forgetBroken(opened);
    await backup(process, opened);
    await prune(process, opened);
    await this.#judge(`after the next prune of ${place.name}`);
    await world.timeline.sleep(world.graceMs + staleMs);
    await prune(process, opened);
    await backup(process, opened);
  }

  /** As a person does with a snapshot that was never reported and cannot be read. */
  async #forgetBroken({ place, repository }: Opened): Promise<void> {
    const broken = await brokenSnapshots(this.world, place);
    if (broken.length > 0) await forgetSnapshots(repository, broken);
  }

  async #judge(when: string, options: CheckOptions = {}): Promise<void> {
    for (const what of await judge(this.world, options)) this.world.wrong.push(`${when}: ${what}`);
  }

  #blame(who: string, error: unknown): void {
    this.world.wrong.push(`${who}: ${error instanceof Error ? error.stack : error}`);
  }
}

async function openWithAny(process: SimulatedProcess, place: Place): Promise<Repository> {
  const { passwords } = place.ledger.keys[0]!;
  for (const password of passwords.slice(1)) {
    const repository = await process.open(place, password).catch(() => undefined);
    if (repository) return repository;
  }
  return process.open(place, passwords[0]!);
}

const weightSum = Object.values(works).reduce((sum, { weight }) => sum + weight, 0);

function chooseWork(number: number): string {
  let left = number;
  for (const [name, { weight }] of Object.entries(works)) {
    left -= weight;
    if (left < 0) return name;
  }
  throw new Error('the weights of all work do not add up');
}

/** Whether an error says that the world was bad, not that the program is. */
function isExcused(error: unknown, mood: string): boolean {
  if (error instanceof BrokenPromise || !(error instanceof HoldfastError)) return false;
  // 'repository.key': another client removed the key that this one had opened the repository with.
  if (mood === 'calm') return error.code === 'repository.locked' || error.code === 'repository.key';
  return error.code !== 'repository.internal';
}
