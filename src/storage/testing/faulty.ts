import type { Clock } from '#base';
import { orAborted } from '../abort.ts';
import { isStream, piecesOf, sizeOf } from '../content.ts';
import { StorageError } from '../errors.ts';
import type { ByteRange, Content, FileInfo, Storage, WriteOptions } from '../storage.ts';
import {
  type Ask,
  around,
  type Call,
  type OpenListing,
  type Operation,
  type ReadableFile,
  type Treatment,
  type WriteContent,
} from '../wrappers/around.ts';
import { FaultCounts } from './fault-counts.ts';
import type { Fault, FaultPlan } from './fault-plan.ts';
import { ListingHistory } from './listing-history.ts';

export interface FaultyOptions {
  plan: FaultPlan;
  clock: Clock;
  counts?: FaultCounts;
  /** What 'stale' listings go back through. Share one among the clients of one storage. */
  history?: ListingHistory;
  /**
   * The life of this client. A 'crash' aborts it, and whoever runs a simulation may at any time. From then on no call
   * is answered, and none has an effect that it did not have yet, as if the process were gone.
   */
  life?: AbortController;
}

/** One client's view of a storage that misbehaves as planned. Several clients may look at one storage, each through its own. */
export function faulty(inner: Storage, options: FaultyOptions): Storage {
  return around(inner, new Misbehaving(inner, options));
}

const listedBeforeCutMax = 10;
/** Beside writes, what changes a listing. */
const changing: readonly Operation[] = ['delete', 'hide', 'copy'];

class Misbehaving implements Treatment {
  readonly leavesCalls = true;
  readonly #inner: Storage;
  readonly #plan: FaultPlan;
  readonly #clock: Clock;
  readonly #counts: FaultCounts;
  readonly #history: ListingHistory;
  readonly #life: AbortController;

  constructor(inner: Storage, options: FaultyOptions) {
    this.#inner = inner;
    this.#plan = options.plan;
    this.#clock = options.clock;
    this.#counts = options.counts ?? new FaultCounts();
    this.#history = options.history ?? new ListingHistory();
    this.#life = options.life ?? new AbortController();
  }

  async *read(call: Call, range: ByteRange | undefined, file: ReadableFile): AsyncGenerator<Uint8Array> {
    const fault = await this.#answered(this.#before(call));
    const endsEarly = fault?.kind === 'cut' || fault?.kind === 'short';
    const sizeBytes = range?.length ?? (endsEarly ? ((await file.sizeBytes(call.signal)) ?? 0) : 0);
    const all = file.open(range, call.signal);
    yield* this.#answeredItems(endsEarly ? firstBytes(all, Math.floor(sizeBytes * fault.fraction)) : all);
    if (fault?.kind === 'cut') throw interrupted(call);
  }

  async write(call: Call, content: Content, _options: WriteOptions, run: WriteContent): Promise<void> {
    await this.#change(call, (fault) =>
      run(fault?.kind === 'cut' ? cutContent(call, content, fault) : this.#sent(content), call.signal),
    );
  }

  async *list<T extends FileInfo>(call: Call, open: OpenListing<T>): AsyncGenerator<T> {
    const fault = await this.#answered(this.#before(call));
    const now = open(call.signal);
    if (fault?.kind === 'stale') {
      // Only `list` meets this fault, and what it yields is a FileInfo.
      yield* this.#answeredItems(this.#history.past(call.name, fault.fraction, now) as AsyncIterable<T>);
    } else if (fault?.kind === 'cut') {
      yield* this.#answeredItems(firstItems(now, Math.floor(fault.fraction * listedBeforeCutMax)));
      throw interrupted(call);
    } else {
      yield* this.#answeredItems(now);
    }
  }

  call<T>(call: Call, run: Ask<T>): Promise<T> {
    if (changing.includes(call.operation)) return this.#change(call, () => run(call.signal));
    return this.#effect(call, () => run(call.signal));
  }

  /** A write or delete: an effect that later listings may not show. */
  #change<T>(call: Call, run: (fault: Fault | undefined) => Promise<T>): Promise<T> {
    return this.#effect(call, async (fault) => {
      const before = await this.#inner.stat(call.name, { signal: call.signal });
      await this.#assertAlive();
      const result = await run(fault);
      this.#history.record(call.name, before);
      return result;
    });
  }

  #effect<T>(call: Call, run: (fault: Fault | undefined) => Promise<T>): Promise<T> {
    const work = async () => {
      const fault = await this.#before(call);
      const result = await run(fault);
      await this.#after(call, fault);
      return result;
    };
    return this.#answered(work());
  }

  /** What goes wrong before the effect. Returns the fault, for what goes wrong later. */
  async #before(call: Call): Promise<Fault | undefined> {
    call.signal?.throwIfAborted();
    await this.#assertAlive();
    const fault = this.#plan.next(call);
    if (!fault) return undefined;
    this.#counts.add(call.operation, fault.kind);
    switch (fault.kind) {
      case 'fail':
        throw unreachable(call);
      case 'refuse':
        throw refused(call);
      case 'delay':
        await this.#clock.sleep(fault.delayMs, { signal: call.signal });
        break;
      case 'hang':
        return orAborted(never, call.signal);
      case 'crash':
        this.#life.abort();
        break;
    }
    await this.#assertAlive();
    return fault;
  }

  /** What goes wrong after the effect. */
  async #after(call: Call, fault: Fault | undefined): Promise<void> {
    switch (fault?.kind) {
      case 'fail-after':
        throw interrupted(call);
      case 'hang-after':
        return orAborted(never, call.signal);
      case 'crash-after':
        this.#life.abort();
    }
  }

  /** Waits for ever when the client is dead. */
  async #assertAlive(): Promise<void> {
    if (this.#life.signal.aborted) await never;
  }

  /** The answer, which a dead client does not get, not even as an error. */
  async #answered<T>(work: Promise<T>): Promise<T> {
    await Promise.allSettled([work]);
    await this.#assertAlive();
    return work;
  }

  async *#answeredItems<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#answered(iterator.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  /** Content as it leaves the client: the stream of a dead one never ends. */
  #sent(content: Content): Content {
    if (!isStream(content)) return content;
    return { ...content, open: () => this.#answeredItems(content.open()) };
  }
}

const never = new Promise<never>(() => {});

async function* firstBytes(pieces: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let leftBytes = sizeBytes;
  if (leftBytes === 0) return;
  for await (const piece of pieces) {
    yield piece.subarray(0, leftBytes);
    leftBytes -= Math.min(piece.length, leftBytes);
    if (leftBytes === 0) return;
  }
}

async function* firstItems<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let left = count;
  if (left === 0) return;
  for await (const item of items) {
    yield item;
    if (--left === 0) return;
  }
}

/** Content that breaks while the storage takes it. */
function cutContent(call: Call, content: Content, fault: Fault): Content {
  const sizeBytes = sizeOf(content) ?? 0;
  async function* open(): AsyncGenerator<Uint8Array> {
    yield* firstBytes(piecesOf(content, call.signal), Math.floor(sizeBytes * fault.fraction));
    throw interrupted(call);
  }
  return { open, sizeBytes };
}

function unreachable(call: Call): StorageError {
  return planned('storage.unreachable', call, 'the storage was not reached');
}

function interrupted(call: Call): StorageError {
  return planned('storage.interrupted', call, 'the connection broke');
}

function refused(call: Call): StorageError {
  return planned('storage.failed', call, 'the storage refused');
}

function planned(
  code: 'storage.unreachable' | 'storage.interrupted' | 'storage.failed',
  call: Call,
  what: string,
) {
  return new StorageError(code, `cannot ${call.operation} ${call.name}: ${what}, as planned`, {
    hint: 'A test planned this fault.',
  });
}
