import type { Content, Storage, WriteOptions } from '#storage';
import type { Timeline } from './timeline.ts';

/** A storage of the real world, whose calls take no time of a simulated one. */
export class OutsideStorage implements Storage {
  readonly location;
  readonly capabilities;
  readonly #inner: Storage;
  readonly #timeline: Timeline;
  readonly #life: AbortSignal;
  readonly #death: Promise<never>;

  /** @param life of the process whose storage it is: what a dead one was sending ends */
  constructor(inner: Storage, timeline: Timeline, life: AbortSignal) {
    this.location = inner.location;
    this.capabilities = inner.capabilities;
    this.#inner = inner;
    this.#timeline = timeline;
    this.#life = life;
    const { promise, reject } = Promise.withResolvers<never>();
    life.addEventListener('abort', () => reject(life.reason), { once: true });
    promise.catch(() => {});
    this.#death = promise;
  }

  read(...args: Parameters<Storage['read']>): AsyncIterable<Uint8Array> {
    return this.#items(() => this.#inner.read(...args));
  }

  list(...args: Parameters<Storage['list']>): ReturnType<Storage['list']> {
    return this.#items(() => this.#inner.list(...args));
  }

  write(name: string, content: Content, options: WriteOptions = {}): Promise<void> {
    const signal = AbortSignal.any([this.#life, ...(options.signal ? [options.signal] : [])]);
    // What a dead process sends never ends by itself.
    return this.#timeline.meanwhile(() =>
      Promise.race([this.#inner.write(name, content, { ...options, signal }), this.#death]),
    );
  }

  stat(...args: Parameters<Storage['stat']>): ReturnType<Storage['stat']> {
    return this.#timeline.meanwhile(() => this.#inner.stat(...args));
  }

  delete(...args: Parameters<Storage['delete']>): Promise<void> {
    return this.#timeline.meanwhile(() => this.#inner.delete(...args));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Time passes while whoever asked looks at an item, not while the next one comes. */
  async *#items<T>(open: () => AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = open()[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#timeline.meanwhile(() => iterator.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await this.#timeline.meanwhile(async () => iterator.return?.());
    }
  }
}
