import type { Storage } from '#storage';
import type { ProcessClock } from './timeline.ts';

/** Sleep at a call, counted from 1, before or after its effect. */
export interface PlannedSleep {
  at: number;
  when: 'before' | 'after';
  durationMs: number;
}

/** A storage in one of whose calls the whole process falls asleep. */
export class SleepyStorage implements Storage {
  readonly location;
  readonly capabilities;
  /** How many calls there were since it was last set to 0. */
  callCount = 0;
  readonly #inner: Storage;
  readonly #clock: ProcessClock;
  readonly #sleep: PlannedSleep;

  constructor(inner: Storage, clock: ProcessClock, sleep: PlannedSleep) {
    this.location = inner.location;
    this.capabilities = inner.capabilities;
    this.#inner = inner;
    this.#clock = clock;
    this.#sleep = sleep;
  }

  read(...args: Parameters<Storage['read']>): AsyncIterable<Uint8Array> {
    return this.#items(() => this.#inner.read(...args));
  }

  list(...args: Parameters<Storage['list']>): ReturnType<Storage['list']> {
    return this.#items(() => this.#inner.list(...args));
  }

  write(...args: Parameters<Storage['write']>): Promise<void> {
    return this.#call(() => this.#inner.write(...args));
  }

  stat(...args: Parameters<Storage['stat']>): ReturnType<Storage['stat']> {
    return this.#call(() => this.#inner.stat(...args));
  }

  delete(...args: Parameters<Storage['delete']>): Promise<void> {
    return this.#call(() => this.#inner.delete(...args));
  }

  async close(): Promise<void> {}

  async *#items<T>(open: () => AsyncIterable<T>): AsyncGenerator<T> {
    const isDue = this.#begin();
    yield* open();
    await this.#end(isDue);
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    const isDue = this.#begin();
    const result = await run();
    await this.#end(isDue);
    return result;
  }

  /** The way to the storage takes time, so the effect comes after the waking. */
  #begin(): boolean {
    const isDue = ++this.callCount === this.#sleep.at;
    if (isDue && this.#sleep.when === 'before') this.#clock.freeze(this.#sleep.durationMs);
    return isDue;
  }

  async #end(isDue: boolean): Promise<void> {
    if (!isDue || this.#sleep.when === 'before') return;
    this.#clock.freeze(this.#sleep.durationMs);
    await this.#clock.sleep(1);
  }
}
