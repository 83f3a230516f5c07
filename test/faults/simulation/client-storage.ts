import { collect, type Random } from '#base';
import {
  type ByteRange,
  type Content,
  type FileInfo,
  type ReadOptions,
  type Storage,
  StorageError,
  type WriteOptions,
} from '#storage';
import { faulty } from '../../../src/storage/testing/faulty.ts';
import type { ListingHistory } from '../../../src/storage/testing/listing-history.ts';
import { drawLuck, type Luck, type Misfortune, type Operation, planOf, type Rates } from './misfortune.ts';
import type { ProcessClock, Timeline } from './timeline.ts';

export interface ClientStorageOptions {
  storage: Storage;
  /** The same for what arrives late, even when its sender is dead. */
  network: Storage;
  history: ListingHistory;
  timeline: Timeline;
  clock: ProcessClock;
  life: AbortController;
  random: Random;
  rates: Rates;
  /** How long a sleeping process sleeps. */
  sleepMs: { min: number; max: number };
  onCall(operation: Operation, name: string, misfortune: Misfortune | undefined): void;
}

const latencyMsMax = 40;
const lateMsMax = 60_000;

/** The shared storage as one process sees it: far away, and not always well. */
export class ClientStorage implements Storage {
  readonly location = 'simulated:';
  readonly capabilities;
  readonly #options: ClientStorageOptions;

  constructor(options: ClientStorageOptions) {
    this.#options = options;
    this.capabilities = options.storage.capabilities;
  }

  async *read(name: string, range?: ByteRange, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const luck = await this.#send('read', name, options.signal);
    yield* this.#storageFor(luck).read(name, range, options);
    await this.#receive(luck, options.signal);
  }

  async write(name: string, content: Content, options: WriteOptions = {}): Promise<void> {
    const luck = await this.#send('write', name, options.signal);
    if (luck.misfortune === 'late') {
      const copy = await copyOf(content);
      return this.#happenLater(luck, `write ${name}`, (storage) => storage.write(name, copy));
    }
    await this.#storageFor(luck).write(name, content, options);
    await this.#receive(luck, options.signal);
  }

  async stat(name: string, options: ReadOptions = {}): Promise<FileInfo | undefined> {
    const luck = await this.#send('stat', name, options.signal);
    const info = await this.#storageFor(luck).stat(name, options);
    await this.#receive(luck, options.signal);
    return info;
  }

  async *list(prefix: string, options: ReadOptions = {}): AsyncGenerator<FileInfo> {
    const luck = await this.#send('list', prefix, options.signal);
    yield* this.#storageFor(luck).list(prefix, options);
    await this.#receive(luck, options.signal);
  }

  async delete(name: string, options: ReadOptions = {}): Promise<void> {
    const luck = await this.#send('delete', name, options.signal);
    if (luck.misfortune === 'late') {
      return this.#happenLater(luck, `delete ${name}`, (storage) => storage.delete(name));
    }
    await this.#storageFor(luck).delete(name, options);
    await this.#receive(luck, options.signal);
  }

  async close(): Promise<void> {}

  async #send(operation: Operation, name: string, signal: AbortSignal | undefined): Promise<Luck> {
    signal?.throwIfAborted();
    const { random, rates, clock } = this.#options;
    const luck = drawLuck(random, rates, operation);
    const wayMs = 1 + random.below(latencyMsMax);
    this.#options.onCall(operation, name, luck.misfortune);
    if (luck.misfortune === 'sleep') this.#fallAsleep(luck);
    await clock.sleep(wayMs, { signal });
    return luck;
  }

  async #receive(luck: Luck, signal: AbortSignal | undefined): Promise<void> {
    if (luck.misfortune === 'sleep-after') this.#fallAsleep(luck);
    await this.#options.clock.sleep(1 + this.#options.random.below(latencyMsMax), { signal });
  }

  #fallAsleep({ fraction }: Luck): void {
    const { min, max } = this.#options.sleepMs;
    this.#options.clock.freeze(Math.floor(min + fraction * (max - min)));
  }

  #storageFor(luck: Luck): Storage {
    const { storage, clock, history, life } = this.#options;
    return faulty(storage, { plan: planOf(luck), clock, history, life });
  }

  #happenLater({ fraction }: Luck, what: string, effect: (storage: Storage) => Promise<void>): never {
    const { timeline, network, clock, history } = this.#options;
    const arrived = faulty(network, { plan: planOf({ misfortune: undefined, fraction }), clock, history });
    timeline.wakeAt(timeline.nowMs + fraction * lateMsMax, () => void effect(arrived));
    throw new StorageError('storage.interrupted', `cannot ${what}: the connection broke, as planned`);
  }
}

async function copyOf(content: Content): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content.slice();
  return 'open' in content ? collect(content.open()) : Buffer.concat(content);
}
