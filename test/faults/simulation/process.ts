import { type Random, seededRandom } from '#base';
import { inlineExecutor, type LockOwner, openRepository, type Repository } from '#repository';
import { retry, type Storage } from '#storage';
import { ClientStorage } from './client-storage.ts';
import type { Meant } from './ledger.ts';
import type { Rates } from './misfortune.ts';
import { ProcessClock } from './timeline.ts';
import type { Place, World } from './world.ts';

const hostCount = 2;
const skewMsMax = 60_000;
/** What nobody changes without a lock. */
const lockedKinds = /^(data|index|snapshots)\//;
const retryLockMsMax = 3 * 60_000;

/** Numbers of the processes that live, for who shares a host with them. */
const living = new WeakMap<World, Set<number>>();

/** One program on one machine, from its start to its end. */
export class SimulatedProcess {
  readonly name: string;
  readonly world: World;
  readonly random: Random;
  readonly clock: ProcessClock;
  readonly life = new AbortController();
  readonly owner: LockOwner;
  /** What it is doing, for the tally. */
  work = 'open';
  /** The snapshots that it is making. */
  making: Meant[] = [];
  readonly #rates: Rates;

  constructor(world: World, rates: Rates) {
    const number = world.newProcessNumber();
    this.world = world;
    this.random = world.randomFor(number);
    const host = this.random.below(hostCount);
    this.name = `p${number}@h${host}`;
    this.owner = ownerOf(world, { host, pid: number });
    const { random } = this;
    this.clock = new ProcessClock(world.timeline, {
      // Of the machine, not of the process.
      skewMs: world.randomFor(-1 - host).below(2 * skewMsMax) - skewMsMax,
      standsStill: random.below(2) === 0,
    });
    this.#rates = rates;
    this.life.signal.addEventListener('abort', () => {
      this.clock.kill();
      living.get(world)?.delete(number);
      world.note(`${this.name} dies`);
    });
  }

  /** Opens the repository with a password that must fit. */
  open(place: Place, password: string, storage = this.connect(place)): Promise<Repository> {
    const { clock, random, owner } = this;
    const key = place.ledger.keys.find(({ passwords }) => passwords.includes(password));
    return openRepository({
      storage,
      password,
      // Half of them remember which key it was.
      ...(key && random.below(2) === 0 ? { keyHint: key.id } : {}),
      executor: inlineExecutor(seededRandom(random.below(2 ** 32))),
      clock,
      random,
      owner,
      ...(random.below(2) === 0 ? { retryLockMs: random.below(retryLockMsMax) } : {}),
    });
  }

  connect(place: Place): Storage {
    const { history } = place;
    const { world, clock, life, random } = this;
    const { timeline, sleepMs } = world;
    const storage = new ClientStorage({
      storage: place.storageFor(life.signal),
      network: place.storageFor(),
      history,
      timeline,
      clock,
      life,
      random,
      rates: this.#rates,
      sleepMs,
      onCall: (operation, name, misfortune) => {
        world.note(`${this.name} ${this.work}: ${operation} ${place.name} ${name} ${misfortune ?? ''}`);
        const isChange = operation === 'write' || operation === 'delete';
        if (isChange && lockedKinds.test(name) && world.mood === 'calm' && place.isInMemory)
          this.#noteLock(place, name);
        if (!misfortune) return;
        world.tally.add(`${this.work} × ${misfortune}`);
        world.tally.add(`${operation} × ${misfortune}`);
        if (misfortune.startsWith('sleep')) for (const meant of this.making) meant.isBySleeper = true;
      },
    });
    // Half of them meet every failure; the others see what retries hide.
    if (random.below(2) === 0) return storage;
    return retry(storage, { clock, random, attemptsMax: 3 });
  }

  /** Where nothing goes wrong, nothing is changed without a lock. */
  #noteLock({ memory }: Place, name: string): void {
    for (const file of memory.files.keys()) if (file.startsWith('locks/')) return;
    this.world.wrong.push(`${this.name} ${this.work}: changes ${name} without a lock`);
  }
}

function ownerOf(world: World, { host, pid }: { host: number; pid: number }): LockOwner {
  const alive = living.get(world) ?? new Set();
  living.set(world, alive.add(pid));
  return {
    hostname: `host${host}`,
    username: 'sim',
    uid: 1000,
    gid: 1000,
    pid,
    isProcessAlive: (pid) => alive.has(pid),
  };
}
