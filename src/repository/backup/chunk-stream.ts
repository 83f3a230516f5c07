import assert from 'node:assert/strict';
import { type Chunker, chunkSizeMin } from '../chunker/chunker.ts';
import { slotBytes, slotOffset } from '../executor/arena.ts';
import type { LanePool } from '../executor/lane-pool.ts';
import type { BlobId } from '../format/ids.ts';

/** What became of one stream. */
export interface StoredContent {
  ids: BlobId[];
  sizeBytes: number;
}

/**
 * Cuts one stream into chunks and hands them to the lanes. Bytes are collected in a slot of the arena; a
 * stream shorter than the smallest chunk never needs the chunker. `write` or `room`/`filled` in turn, then `end`.
 */
export class ChunkStream {
  readonly #pool: LanePool;
  readonly #chunker: Chunker;
  readonly #ids: BlobId[] = [];
  readonly #park = (): void => this.#moveToHeap();
  /** Bytes that lie in no slot: before the first chunk is due, or parked. */
  #heap: Uint8Array[] = [];
  #heapBytes = 0;
  #slot = -1;
  #start = 0;
  #end = 0;
  #limit = 0;
  #scanned = 0;
  #sizeBytes = 0;
  #storedBytes = 0;
  #pending = 0;
  #failure: unknown;
  #idle: (() => void) | undefined;

  constructor(pool: LanePool, chunker: Chunker) {
    this.#pool = pool;
    this.#chunker = chunker;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Takes the next bytes; the array may be reused by the caller once this has resolved. */
  async write(piece: Uint8Array): Promise<void> {
    this.#pool.slots.withdraw(this.#park);
    this.#throwFailure();
    if (this.#slot < 0 && this.#heapBytes + piece.length < chunkSizeMin) {
      // Not by `slice`, which on a Buffer is a view of bytes that the caller uses again.
      this.#heap.push(new Uint8Array(piece));
      this.#heapBytes += piece.length;
      this.#sizeBytes += piece.length;
      return;
    }
    for (let done = 0; done < piece.length; ) {
      const room = await this.room();
      const part = piece.subarray(done, done + room.length);
      this.#pool.bytes.set(part, room.offset);
      this.filled(part.length);
      done += part.length;
    }
    if (this.#slot >= 0) this.#pool.slots.offer(this.#park);
  }

  /** A place in the arena for the next bytes, at least one. */
  async room(): Promise<{ offset: number; length: number }> {
    this.#throwFailure();
    if (this.#slot >= 0 && this.#end === this.#limit) this.#moveToHeap();
    if (this.#slot < 0) await this.#takeSlot();
    return { offset: this.#end, length: this.#limit - this.#end };
  }

  /** Says that the first `length` bytes of the room were filled. */
  filled(length: number): void {
    this.#end += length;
    this.#sizeBytes += length;
    this.#cut();
  }

  /** Stores what is left and waits for all chunks. */
  async end(): Promise<StoredContent> {
    this.#pool.slots.withdraw(this.#park);
    this.#throwFailure();
    if (this.#heapBytes > 0) await this.#takeSlot();
    if (this.#end > this.#start) this.#dispatch(this.#end - this.#start);
    this.#releaseSlot();
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#throwFailure();
    // A truncated file in a snapshot is the fault that no later check can see.
    assert(
      this.#pending === 0 && this.#storedBytes === this.#sizeBytes,
      'not every byte that was read is in a blob',
    );
    return { ids: this.#ids, sizeBytes: this.#sizeBytes };
  }

  /** Gives up after an error: nothing of the stream is used. */
  abandon(): void {
    this.#pool.slots.withdraw(this.#park);
    this.#releaseSlot();
    this.#heap = [];
  }

  #cut(): void {
    for (;;) {
      const length = this.#chunker.cut(this.#start, this.#end, this.#scanned);
      this.#scanned = this.#end;
      if (length === 0) return;
      this.#dispatch(length);
      this.#scanned = this.#start;
    }
  }

  #dispatch(length: number): void {
    const slot = this.#slot;
    const position = this.#ids.length;
    const { slots } = this.#pool;
    slots.hold(slot);
    this.#ids.push('' as BlobId);
    this.#pending++;
    const stored = this.#pool.run({ kind: 'store', type: 'data', spans: [this.#start, length] }, 1);
    this.#start += length;
    stored
      .then(
        (ids) => {
          this.#ids[position] = Buffer.from(ids.buffer).toString('hex') as BlobId;
          this.#storedBytes += length;
        },
        (error: unknown) => {
          this.#failure ??= error;
        },
      )
      .finally(() => {
        slots.release(slot);
        if (--this.#pending === 0) this.#idle?.();
      });
  }

  async #takeSlot(): Promise<void> {
    this.#slot = await this.#pool.slots.acquire();
    this.#start = slotOffset(this.#pool.layout, this.#slot);
    this.#end = this.#start;
    this.#limit = this.#start + slotBytes;
    this.#scanned = this.#start;
    for (const piece of this.#heap) {
      this.#pool.bytes.set(piece, this.#end);
      this.#end += piece.length;
    }
    this.#heap = [];
    this.#heapBytes = 0;
  }

  /** Keeps the begun chunk outside the arena and lets the slot go. */
  #moveToHeap(): void {
    if (this.#slot < 0) return;
    if (this.#end > this.#start) {
      this.#heap = [this.#pool.bytes.slice(this.#start, this.#end)];
      this.#heapBytes = this.#end - this.#start;
    }
    this.#releaseSlot();
  }

  #releaseSlot(): void {
    if (this.#slot < 0) return;
    this.#pool.slots.release(this.#slot);
    this.#slot = -1;
    this.#start = 0;
    this.#end = 0;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
