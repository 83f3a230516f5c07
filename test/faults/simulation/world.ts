import { createHash } from 'node:crypto';
import { collect, type Random, seededRandom } from '#base';
import { MemoryStorage, type Storage, StorageError } from '#storage';
import { ListingHistory } from '../../../src/storage/testing/listing-history.ts';
import { type Files, Ledger } from './ledger.ts';
import { moods, type Rates } from './misfortune.ts';
import { OutsideStorage } from './outside-storage.ts';
import { Tally } from './tally.ts';
import { Timeline } from './timeline.ts';
import { Trace } from './trace.ts';

const minuteMs = 60_000;

/** A listing is never staler than this. */
const stalenessMsMax = 5_000;

const readsAtOnce = 4;

const contentCount = 14;
const smallBytesMax = 3_000;
/** Every so many worlds has a file of several chunks. */
const largeEvery = 16;
const largeBytes = 1_400_000;

const names = ['a', 'b', 'c', 'd/a', 'd/b', 'd/e/a', 'f/a'];

/** A repository in its storage. */
export class Place {
  readonly name: string;
  /** What is stored; of another storage, as it was when it was looked at last. */
  readonly memory = new MemoryStorage();
  readonly history: ListingHistory;
  readonly ledger = new Ledger();

  readonly #timeline: Timeline;
  readonly #outside: Storage | undefined;

  /** @param outside a storage of the real world instead of one in memory */
  constructor(name: string, timeline: Timeline, outside?: Storage) {
    this.name = name;
    this.#timeline = timeline;
    this.#outside = outside;
    const clock = { monotonicMs: () => timeline.nowMs };
    this.history = new ListingHistory({ clock, withinMs: stalenessMsMax });
  }

  get isInMemory(): boolean {
    return this.#outside === undefined;
  }

  /** The storage as a process uses it that lives so long; by default for ever. */
  storageFor(life = new AbortController().signal): Storage {
    return this.#outside ? new OutsideStorage(this.#outside, this.#timeline, life) : this.memory;
  }

  /** Sees to it that `memory` shows what is stored. A file that did not change stays the same object. */
  async look(): Promise<void> {
    if (this.isInMemory) return;
    const { files } = this.memory;
    const storage = this.storageFor();
    const names = (await Array.fromAsync(storage.list(''))).map(({ name }) => name);
    for (const name of [...files.keys()]) if (!names.includes(name)) files.delete(name);
    const read = async (name: string): Promise<void> => {
      const bytes = await collect(storage.read(name)).catch(ifAbsent);
      if (!bytes) return void files.delete(name);
      const known = files.get(name);
      if (!known || Buffer.compare(known, bytes) !== 0) files.set(name, bytes);
    };
    for (let at = 0; at < names.length; at += readsAtOnce)
      await Promise.all(names.slice(at, at + readsAtOnce).map(read));
  }
}

/** Deleted since it was listed. */
function ifAbsent(error: unknown): undefined {
  if (!(error instanceof StorageError && error.code === 'storage.not-found')) throw error;
}

/** Everything that the processes of one seed share. */
export class World {
  readonly seed: number;
  readonly mood: string;
  readonly rates: Rates;
  readonly random: Random;
  readonly timeline = new Timeline();
  readonly trace = new Trace();
  readonly tally = new Tally();
  /** Where backups go, and where they are copied to. */
  readonly main: Place;
  readonly mirror: Place;
  /** Few, so that snapshots share blobs and what was forgotten is saved again. */
  readonly contents: readonly Uint8Array[];
  readonly packSizeBytes: number;
  /** A pack that was marked for so long may be deleted: longer than anybody sleeps, or shorter. */
  readonly graceMs: number;
  readonly sleepMs = { min: 31 * minuteMs, max: 200 * minuteMs };
  readonly sources: Map<string, number>[];
  /** What was promised and did not hold. */
  readonly wrong: string[] = [];
  #processCount = 0;

  /** @param outside storages of the real world, empty ones, instead of memory */
  constructor(seed: number, outside?: { main: Storage; mirror: Storage }) {
    this.seed = seed;
    this.main = new Place('main', this.timeline, outside?.main);
    this.mirror = new Place('mirror', this.timeline, outside?.mirror);
    this.random = seededRandom(seed);
    this.mood = Object.keys(moods)[this.random.below(Object.keys(moods).length)]!;
    this.rates = moods[this.mood]!;
    this.graceMs = [45, 240][this.random.below(2)]! * minuteMs;
    this.packSizeBytes = [2_048, 8_192, 65_536][this.random.below(3)]!;
    this.contents = Array.from({ length: contentCount }, (_, i) => this.#content(i));
    this.sources = [0, 1, 2].map(() => new Map());
  }

  get places(): Place[] {
    return [this.main, this.mirror];
  }

  /**
   * Whether a prune without grace is safe here: locks keep all others out, and what was sent arrives at once or
   * never.
   */
  get keepsPromptly(): boolean {
    return (['stale', 'late', 'sleep', 'sleep-after'] as const).every((kind) => !this.rates[kind]);
  }

  /** A number that no other process has; random numbers of its own follow from it. */
  newProcessNumber(): number {
    return ++this.#processCount;
  }

  /** A generator that others do not disturb. */
  randomFor(purpose: number): Random {
    return seededRandom(this.seed * 1009 + purpose);
  }

  /** Changes a source a little and returns what it holds now. */
  touchSource(source: number, random: Random): Files {
    const files = this.sources[source]!;
    for (let changes = 1 + random.below(4); changes > 0 || files.size === 0; changes--) {
      const name = names[random.below(names.length)]!;
      if (random.below(4) === 0) files.delete(name);
      else files.set(name, random.below(contentCount));
    }
    return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  note(line: string): void {
    this.trace.add(`${this.timeline.nowMs} ${line}`);
  }

  /** Trace, time and every stored byte. */
  digest(): string {
    const hash = createHash('sha256').update(this.trace.digest()).update(`${this.timeline.nowMs}`);
    for (const { memory } of this.places) {
      for (const [name, bytes] of [...memory.files].sort(([a], [b]) => (a < b ? -1 : 1)))
        hash.update(name).update(bytes);
    }
    return hash.digest('hex');
  }

  #content(number: number): Uint8Array {
    const { random } = this;
    const isLarge = number === 0 && this.seed % largeEvery === 0;
    const bytes = random.fill(new Uint8Array(isLarge ? largeBytes : 1 + random.below(smallBytesMax)));
    // Half of them compress.
    if (number % 2 === 1) bytes.fill(number, bytes.length >> 2);
    return bytes;
  }
}
