import { type Clock, systemClock } from '#base';
import { isStream, piecesOf, sizeOf } from '../content.ts';
import type { ByteRange, Content, FileInfo, Storage, WriteOptions } from '../storage.ts';
import {
  type Ask,
  around,
  type Call,
  type OpenListing,
  type ReadableFile,
  type Treatment,
  type WriteContent,
} from './around.ts';
import { RateLimiter } from './rate-limiter.ts';
import { type Slot, Slots } from './slots.ts';

/** What is not given is not limited. */
export interface Limits {
  uploadBytesPerSecond?: number;
  downloadBytesPerSecond?: number;
  /** Calls at work at once. A stream counts only while it waits for the storage, so a slow reader holds up nobody. */
  concurrency?: number;
  clock?: Clock;
}

/** Bytes at hand go up in slices of this size when the rate is limited, so that the flow is even. */
const sliceBytesMax = 64 * 1024;

/** Limits how fast and how many at once; waiting calls are served in the order they came. */
export function limit(inner: Storage, limits: Limits): Storage {
  const { concurrency = Number.POSITIVE_INFINITY } = limits;
  const most = Math.min(concurrency, inner.capabilities.concurrency);
  return around(inner, new Limiting(limits), { concurrency: most });
}

class Limiting implements Treatment {
  readonly #slots: Slots;
  readonly #up: RateLimiter | undefined;
  readonly #down: RateLimiter | undefined;

  constructor(limits: Limits) {
    const { uploadBytesPerSecond, downloadBytesPerSecond, clock = systemClock } = limits;
    this.#slots = new Slots(limits.concurrency ?? Number.POSITIVE_INFINITY);
    this.#up = uploadBytesPerSecond ? new RateLimiter(clock, uploadBytesPerSecond) : undefined;
    this.#down = downloadBytesPerSecond ? new RateLimiter(clock, downloadBytesPerSecond) : undefined;
  }

  async *read(call: Call, range: ByteRange | undefined, file: ReadableFile): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#pulled(call, file.open(range, call.signal))) {
      await this.#down?.pass(piece.length, call.signal);
      yield piece;
    }
  }

  async write(call: Call, content: Content, _options: WriteOptions, run: WriteContent): Promise<void> {
    const slot = await this.#slots.acquire(call.signal);
    try {
      await run(this.#paced(content, slot, call.signal), call.signal);
    } finally {
      slot.end();
    }
  }

  list<T extends FileInfo>(call: Call, open: OpenListing<T>): AsyncIterable<T> {
    return this.#pulled(call, open(call.signal));
  }

  call<T>(call: Call, run: Ask<T>): Promise<T> {
    return this.#slots.use(call.signal, () => run(call.signal));
  }

  /** A stream that holds a slot only while its next item is awaited. */
  async *#pulled<T>(call: Call, items: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#slots.use(call.signal, () => iterator.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  /** Content whose write gives its slot away while it waits for the next piece: the source may be this very storage. */
  #paced(content: Content, slot: Slot, signal: AbortSignal | undefined): Content {
    const up = this.#up;
    if (!isStream(content) && !up) return content;
    const sizeBytes = sizeOf(content);
    const sliceBytes = up ? sliceBytesMax : Number.POSITIVE_INFINITY;
    async function* open(): AsyncGenerator<Uint8Array> {
      slot.pause();
      for await (const piece of piecesOf(content, signal)) {
        for (let start = 0; start < piece.length; start += sliceBytes) {
          const slice = piece.subarray(start, start + sliceBytes);
          await up?.pass(slice.length, signal);
          await slot.resume();
          yield slice;
          slot.pause();
        }
      }
      await slot.resume();
    }
    return { open, ...(sizeBytes === undefined ? {} : { sizeBytes }) };
  }
}
