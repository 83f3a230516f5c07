import { readInto } from '#storage';
import { slotBytes, slotOffset } from '../executor/arena.ts';
import { LanePool } from '../executor/lane-pool.ts';
import { forEachAtOnce } from '../for-each-at-once.ts';
import { nameOf } from '../format/names.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import type { Repository } from '../repository.ts';
import { type PackRange, type PlacedBlob, planRanges } from './pack-ranges.ts';

/** What becomes of each data blob that is read; the calls come in any order, several at once. */
export interface BlobReceiver<Blob extends PlacedBlob> {
  /** The bytes open to the id. They may be reused once this has resolved. */
  onBlob(blob: Blob, plain: Uint8Array): Promise<void>;
  /** No copy of the blob could be read. */
  onLost(blob: Blob, error: unknown): Promise<void>;
}

/** Ranges that are fetched, opened or handed over at once; each holds at most two slots. */
const rangesPerLane = 1;
const rangesAhead = 1;

/** Reads many data blobs by pack, with the lanes opening them; for restores and copies. */
export class BulkReader {
  readonly #repository: Repository;
  readonly #index: RepositoryIndex;
  readonly #pool: LanePool;
  readonly #rangesAtOnce: number;

  static async open(repository: Repository): Promise<BulkReader> {
    return new BulkReader(repository, await repository.index());
  }

  private constructor(repository: Repository, index: RepositoryIndex) {
    const { executor } = repository;
    this.#repository = repository;
    this.#index = index;
    this.#rangesAtOnce = executor.lanes * rangesPerLane + rangesAhead;
    this.#pool = new LanePool({
      executor,
      table: index.table,
      key: repository.key.key,
      compression: 'auto',
      verify: false,
      packSizeTarget: 4096,
      uploads: 0,
      extraSlots: 2 * this.#rangesAtOnce - executor.lanes,
      onPack: () => {
        throw new Error('a reader wrote a pack');
      },
    });
  }

  /** Reads blobs, each of which comes once. Rejects only with what the receiver throws, and when cancelled. */
  async read<Blob extends PlacedBlob>(
    blobs: Iterable<Blob>,
    receiver: BlobReceiver<Blob>,
    signal?: AbortSignal,
  ): Promise<void> {
    const { ranges, huge } = planRanges(blobs);
    await forEachAtOnce(ranges, this.#rangesAtOnce, async (range) => {
      signal?.throwIfAborted();
      await this.#readRange(range, receiver, signal);
    });
    for (const blob of huge) await this.#readAlone(blob, receiver, signal);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async #readRange<Blob extends PlacedBlob>(
    range: PackRange<Blob>,
    receiver: BlobReceiver<Blob>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { slots } = this.#pool;
    const slot = await slots.acquire();
    try {
      const at = slotOffset(this.#pool.layout, slot);
      try {
        await this.#fetch(range, at, signal);
      } catch {
        signal?.throwIfAborted();
        // A pack that is gone or cut, or a storage that fails: each blob is tried by itself, and has its own error.
        for (const blob of range.blobs) await this.#readAlone(blob, receiver, signal);
        return;
      }
      for (const group of groupsThatFit(range.blobs))
        await this.#openGroup(group, at - range.offset, receiver, signal);
    } finally {
      slots.release(slot);
    }
  }

  async #fetch(range: PackRange<PlacedBlob>, at: number, signal: AbortSignal | undefined): Promise<void> {
    const name = nameOf('data', this.#index.packs.idOf(range.pack));
    const target = this.#pool.bytes.subarray(at, at + range.length);
    await readInto(this.#repository.storage, name, { range, target, signal });
  }

  /** @param packAt where the pack would begin in the arena */
  async #openGroup<Blob extends PlacedBlob>(
    group: Blob[],
    packAt: number,
    receiver: BlobReceiver<Blob>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { slots } = this.#pool;
    const slot = await slots.acquire();
    try {
      let to = slotOffset(this.#pool.layout, slot);
      const blobs = group.map(({ id, place, plainLength }) => {
        const { offset, length, uncompressedLength } = place;
        const task = { offset: packAt + offset, length, uncompressedLength, id, to, capacity: plainLength };
        to += plainLength;
        return task;
      });
      const sizes = await this.#pool.run({ kind: 'open', blobs });
      for (const [i, blob] of group.entries()) {
        const begin = blobs[i]!.to;
        if (sizes[i] === blob.plainLength)
          await receiver.onBlob(blob, this.#pool.bytes.subarray(begin, begin + blob.plainLength));
        else await this.#readAlone(blob, receiver, signal);
      }
    } finally {
      slots.release(slot);
    }
  }

  /** Reads a blob by itself, from any copy that opens. */
  async #readAlone<Blob extends PlacedBlob>(
    blob: Blob,
    receiver: BlobReceiver<Blob>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const reader = await this.#repository.blobReader();
    let plain: Uint8Array;
    try {
      plain = await reader.read('data', blob.id, signal);
    } catch (error) {
      signal?.throwIfAborted();
      return receiver.onLost(blob, error);
    }
    return receiver.onBlob(blob, plain);
  }
}

/** Splits blobs so that the plaintexts of each part fit one slot. */
function* groupsThatFit<Blob extends PlacedBlob>(blobs: readonly Blob[]): Generator<Blob[]> {
  let group: Blob[] = [];
  let bytes = 0;
  for (const blob of blobs) {
    if (bytes + blob.plainLength > slotBytes) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(blob);
    bytes += blob.plainLength;
  }
  if (group.length > 0) yield group;
}
