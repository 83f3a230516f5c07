import { slotBytes, slotOffset } from '../executor/arena.ts';
import { LanePool } from '../executor/lane-pool.ts';
import { nameOf } from '../format/names.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import type { Repository } from '../repository.ts';
import type { TreeNode } from '../snapshot/tree.ts';
import { type PackRange, planRestore, type WantedBlob } from './restore-plan.ts';

/** Where the bytes of one file go. The calls for a file come in any order of offsets, one at a time for each part. */
export interface FileSink {
  /** The bytes may be reused once this has resolved. */
  write(offset: number, bytes: Uint8Array): Promise<void> | void;
  /** Every part is written. */
  finish(): Promise<void> | void;
  /** A part could not be read or written; the file is not whole. Called once, instead of `finish`. */
  fail(error: Error): Promise<void> | void;
}

export interface RestoreFile {
  node: TreeNode;
  sink: FileSink;
}

export interface RestoreFilesOptions {
  onBytes?: (count: number) => void;
  signal?: AbortSignal;
}

/** Files that are planned together: a bound on memory, and far above what makes reading by pack worth while. */
const batchFilesMax = 8192;
const batchBytesMax = 4 * 1024 * 1024 * 1024;

/** Ranges that are fetched, opened or written at once; each holds at most two slots. */
const rangesPerLane = 1;
const rangesAhead = 1;

/**
 * Restores the content of files, pack by pack, in batches, so that memory stays flat however many there are.
 * A damaged part fails its files only. Rejects when the storage cannot be read at all.
 */
export async function restoreFiles(
  repository: Repository,
  files: AsyncIterable<RestoreFile>,
  options: RestoreFilesOptions = {},
): Promise<void> {
  const index = await repository.index();
  const ranges = repository.executor.lanes * rangesPerLane + rangesAhead;
  const pool = new LanePool({
    executor: repository.executor,
    table: index.table,
    key: repository.key.key,
    compression: 'auto',
    verify: false,
    packSizeTarget: 4096,
    uploads: 0,
    extraSlots: 2 * ranges - repository.executor.lanes,
    onPack: () => {
      throw new Error('a restore wrote a pack');
    },
  });
  try {
    let batch: RestoreFile[] = [];
    let bytes = 0;
    for await (const file of files) {
      batch.push(file);
      bytes += file.node.sizeBytes;
      if (batch.length < batchFilesMax && bytes < batchBytesMax) continue;
      await new Batch(repository, index, pool, batch, options).run(ranges);
      batch = [];
      bytes = 0;
    }
    await new Batch(repository, index, pool, batch, options).run(ranges);
  } finally {
    await pool.close();
  }
}

class Batch {
  readonly #repository: Repository;
  readonly #index: RepositoryIndex;
  readonly #pool: LanePool;
  readonly #files: readonly RestoreFile[];
  readonly #options: RestoreFilesOptions;
  /** Parts that each file still waits for; -1 once it has failed. */
  readonly #parts: Int32Array;

  constructor(
    repository: Repository,
    index: RepositoryIndex,
    pool: LanePool,
    files: readonly RestoreFile[],
    options: RestoreFilesOptions,
  ) {
    this.#repository = repository;
    this.#index = index;
    this.#pool = pool;
    this.#files = files;
    this.#options = options;
    this.#parts = Int32Array.from(files, ({ node }) => node.content?.length ?? 0);
  }

  async run(atOnce: number): Promise<void> {
    const plan = planRestore(this.#index, this.#files);
    for (const [file, error] of plan.missing) await this.#fail(file, error);
    for (const [file, { sink }] of this.#files.entries()) {
      if (this.#parts[file] === 0) await this.#finish(file, sink);
    }
    const queue = plan.ranges.values();
    const work = async (): Promise<void> => {
      for (const range of queue) {
        this.#options.signal?.throwIfAborted();
        await this.#restoreRange(range);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, plan.ranges.length) }, work));
    for (const blob of plan.huge) await this.#restoreAlone(blob);
  }

  async #restoreRange(range: PackRange): Promise<void> {
    const { slots } = this.#pool;
    const slot = await slots.acquire();
    try {
      const at = slotOffset(this.#pool.layout, slot);
      try {
        await this.#fetch(range, at);
      } catch (error) {
        this.#options.signal?.throwIfAborted();
        // A pack that is gone or cut: each blob may have another copy.
        for (const blob of range.blobs) await this.#restoreAlone(blob, error);
        return;
      }
      for (const group of groupsThatFit(range.blobs)) await this.#openGroup(range, at, group);
    } finally {
      slots.release(slot);
    }
  }

  async #fetch(range: PackRange, at: number): Promise<void> {
    const { signal } = this.#options;
    const name = nameOf('data', this.#index.packs.idOf(range.pack));
    let done = 0;
    const pieces = this.#repository.storage.read(name, range, signal ? { signal } : {});
    for await (const piece of pieces) {
      this.#pool.bytes.set(piece, at + done);
      done += piece.length;
    }
  }

  async #openGroup(range: PackRange, at: number, group: WantedBlob[]): Promise<void> {
    const { slots } = this.#pool;
    const slot = await slots.acquire();
    try {
      let to = slotOffset(this.#pool.layout, slot);
      const blobs = group.map(({ id, place, plainLength }) => {
        const task = {
          offset: at + place.offset - range.offset,
          length: place.length,
          uncompressedLength: place.uncompressedLength,
          id,
          to,
          capacity: plainLength,
        };
        to += plainLength;
        return task;
      });
      const sizes = await this.#pool.run({ kind: 'open', blobs });
      for (const [i, blob] of group.entries()) {
        const begin = blobs[i]!.to;
        if (sizes[i] === blob.plainLength)
          await this.#deliver(blob, this.#pool.bytes.subarray(begin, begin + blob.plainLength));
        else await this.#restoreAlone(blob);
      }
    } finally {
      slots.release(slot);
    }
  }

  /** Reads a blob by itself, from any copy that opens. */
  async #restoreAlone(blob: WantedBlob, cause?: unknown): Promise<void> {
    const reader = await this.#repository.blobReader();
    let bytes: Uint8Array;
    try {
      bytes = await reader.read('data', blob.id, this.#options.signal);
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      for (const file of filesOf(blob)) await this.#fail(file, (error ?? cause) as Error);
      return;
    }
    await this.#deliver(blob, bytes);
  }

  async #deliver(blob: WantedBlob, bytes: Uint8Array): Promise<void> {
    for (let i = 0; i < blob.targets.length; i += 2) {
      const file = blob.targets[i]!;
      if (this.#parts[file]! < 0) continue;
      const { sink } = this.#files[file]!;
      try {
        await sink.write(blob.targets[i + 1]!, bytes);
      } catch (error) {
        await this.#fail(file, error as Error);
        continue;
      }
      this.#options.onBytes?.(bytes.length);
      if (--this.#parts[file]! === 0) await this.#finish(file, sink);
    }
  }

  async #finish(file: number, sink: FileSink): Promise<void> {
    this.#parts[file] = -1;
    try {
      await sink.finish();
    } catch (error) {
      await sink.fail(error as Error);
    }
  }

  async #fail(file: number, error: Error): Promise<void> {
    if (this.#parts[file]! < 0) return;
    this.#parts[file] = -1;
    await this.#files[file]!.sink.fail(error);
  }
}

function filesOf(blob: WantedBlob): number[] {
  return blob.targets.filter((_, i) => i % 2 === 0);
}

/** Splits the blobs of a range so that the plaintexts of each part fit one slot. */
function* groupsThatFit(blobs: readonly WantedBlob[]): Generator<WantedBlob[]> {
  let group: WantedBlob[] = [];
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
