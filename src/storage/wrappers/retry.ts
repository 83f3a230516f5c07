import { createHash } from 'node:crypto';
import { type Clock, isRetryable, type Random, systemClock, systemRandom } from '#base';
import { piecesOf } from '../content.ts';
import { StorageError } from '../errors.ts';
import type { ByteRange, Content, FileInfo, FileVersion, Storage, WriteOptions } from '../storage.ts';
import {
  type Ask,
  around,
  type Call,
  type OpenListing,
  type ReadableFile,
  type Treatment,
  type WriteContent,
} from './around.ts';
import { Attempt } from './attempt.ts';

/** What happened and what will be done. */
export interface RetryEvent {
  call: Call;
  error: Error;
  /** How many times in a row this call failed by now. */
  failureCount: number;
  /** How long we wait before the next attempt. */
  pauseMs: number;
}

export interface RetryOptions {
  clock?: Clock;
  random?: Random;
  /** How many attempts a call gets; a stream that makes progress begins to count anew. */
  attemptsMax?: number;
  /** Length of the first pause; each is twice the one before, ± 50 %. */
  pauseMs?: number;
  pauseMsMax?: number;
  /** An answer, or the next piece of a stream, that takes longer counts as lost. Without it, the kind's own time limits hold. */
  silenceMsMax?: number;
  onRetry?: (event: RetryEvent) => void;
}

/** About five minutes in all. */
const defaults = { attemptsMax: 12, pauseMs: 500, pauseMsMax: 60_000 };
/** A listing that breaks later than this is not resumed: the names that were passed on fill the memory. */
const listedNamesMax = 100_000;

/**
 * Repeats what failed with a `retry` of 'soon', with growing pauses.
 * A read goes on where it broke and never yields a byte twice. A write whose effect happened although its answer
 * was lost succeeds, with `ifAbsent` too: a file that is there with our content is ours, so competitors for
 * one name must write different bytes.
 */
export function retry(inner: Storage, options: RetryOptions = {}): Storage {
  return around(inner, new Retrying(inner, options));
}

class Retrying implements Treatment {
  readonly leavesCalls: boolean;
  readonly #inner: Storage;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: RetryOptions & typeof defaults;

  constructor(inner: Storage, options: RetryOptions) {
    this.#inner = inner;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#options = { ...defaults, ...options };
    this.leavesCalls = options.silenceMsMax !== undefined;
  }

  async *read(call: Call, range: ByteRange | undefined, file: ReadableFile): AsyncGenerator<Uint8Array> {
    let sentBytes = 0;
    const open = async (signal: AbortSignal | undefined) => {
      if (sentBytes === 0 && !range) return file.open(undefined, signal);
      const length = range?.length ?? (await file.sizeBytes(signal)) ?? 0;
      if (length < sentBytes) throw changed(call.name);
      const rest = { offset: (range?.offset ?? 0) + sentBytes, length: length - sentBytes };
      return exactly(call.name, rest.length, file.open(rest, signal));
    };
    for await (const piece of this.#resumed(call, open)) {
      sentBytes += piece.length;
      yield piece;
    }
  }

  async write(call: Call, content: Content, options: WriteOptions, run: WriteContent): Promise<void> {
    let mayBeDone = false;
    await this.call(call, async (signal) => {
      try {
        await run(content, signal);
      } catch (error) {
        const isTaken = error instanceof StorageError && error.code === 'storage.exists';
        if (isTaken && options.ifAbsent && mayBeDone && (await this.#holds(call.name, content, signal)))
          return;
        mayBeDone = true;
        throw error;
      }
    });
  }

  async *list<T extends FileInfo>(call: Call, open: OpenListing<T>): AsyncGenerator<T> {
    const passedOn = new Set<string>();
    let count = 0;
    const openAgain = async (signal: AbortSignal | undefined) => {
      if (count > listedNamesMax) throw brokenListing(call.name, count);
      return without(passedOn, open(signal));
    };
    for await (const info of this.#resumed(call, openAgain)) {
      if (++count <= listedNamesMax) passedOn.add(identity(info));
      yield info;
    }
  }

  async call<T>(call: Call, run: Ask<T>): Promise<T> {
    for (let failureCount = 1; ; failureCount++) {
      const attempt = this.#attempt(call);
      try {
        return await attempt.answer(run(attempt.signal));
      } catch (error) {
        await this.#pause(call, error, failureCount);
      }
    }
  }

  /** A stream that is opened again where it broke; `open` knows what was passed on already. */
  async *#resumed<T>(
    call: Call,
    open: (signal: AbortSignal | undefined) => Promise<AsyncIterable<T>>,
  ): AsyncGenerator<T> {
    let attempt = this.#attempt(call);
    let items: AsyncIterator<T> | undefined;
    let failureCount = 0;
    try {
      for (;;) {
        let next: IteratorResult<T>;
        try {
          items ??= (await attempt.answer(open(attempt.signal)))[Symbol.asyncIterator]();
          next = await attempt.answer(items.next());
        } catch (error) {
          items = undefined;
          await this.#pause(call, error, ++failureCount);
          attempt = this.#attempt(call);
          continue;
        }
        if (next.done) return;
        failureCount = 0;
        yield next.value;
      }
    } finally {
      await items?.return?.();
    }
  }

  #attempt(call: Call): Attempt {
    return new Attempt(this.#clock, this.#options.silenceMsMax, call.signal);
  }

  /** Waits before the next attempt, or throws when there shall be none. */
  async #pause(call: Call, error: unknown, failureCount: number): Promise<void> {
    call.signal?.throwIfAborted();
    const { attemptsMax, pauseMs, pauseMsMax, onRetry } = this.#options;
    if (!isRetryable(error) || failureCount >= attemptsMax) throw error;
    const middleMs = Math.min(pauseMsMax, pauseMs * 2 ** (failureCount - 1));
    const waitMs = Math.round(middleMs * (0.5 + this.#random.below(1001) / 1000));
    onRetry?.({ call, error: error as Error, failureCount, pauseMs: waitMs });
    await this.#clock.sleep(waitMs, { signal: call.signal });
  }

  /** Whether the storage holds exactly this content under the name. */
  async #holds(name: string, content: Content, signal: AbortSignal | undefined): Promise<boolean> {
    const stored = await hashOf(this.#inner.read(name, undefined, { signal }));
    return stored === (await hashOf(piecesOf(content, signal)));
  }
}

/** @throws StorageError 'storage.interrupted' when the stream ends early, which a storage must not do but a broken connection may */
async function* exactly(
  name: string,
  length: number,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let seenBytes = 0;
  for await (const piece of pieces) {
    seenBytes += piece.length;
    if (seenBytes > length) throw changed(name);
    yield piece;
  }
  if (seenBytes < length) {
    throw new StorageError('storage.interrupted', `reading ${name} ended ${length - seenBytes} bytes early`, {
      hint: 'Check the connection to the storage.',
    });
  }
}

async function* without<T extends FileInfo>(known: Set<string>, infos: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const info of infos) if (!known.has(identity(info))) yield info;
}

function identity(info: FileInfo | FileVersion): string {
  return 'versionId' in info ? `${info.name}\0${info.versionId}` : info.name;
}

async function hashOf(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

function changed(name: string): StorageError {
  return new StorageError('storage.failed', `${name} changed while it was read`, {
    hint: 'Somebody else writes to this storage. Start again when that is done.',
  });
}

function brokenListing(prefix: string, count: number): StorageError {
  return new StorageError(
    'storage.interrupted',
    `the listing of ${prefix || 'the storage'} broke after ${count} files`,
    { hint: 'Check the connection to the storage, then start again.', retry: 'later' },
  );
}
