import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { BulkReader } from '../read/bulk-reader.ts';
import type { Repository } from '../repository.ts';
import type { TreeNode } from '../snapshot/tree.ts';
import { type FilePart, partsIn } from './file-parts.ts';
import { planRestore, type WantedBlob } from './restore-plan.ts';

export { filePartsOf } from './file-parts.ts';

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
  /** Asked about each part, in order, before anything is fetched: whether the target has these bytes already. */
  isThere?: (part: FilePart) => boolean;
}

export interface RestoreFilesOptions {
  onBytes?: (count: number) => void;
  signal?: AbortSignal;
}

/** Files that are planned together: a bound on memory, and far above what makes reading by pack worth while. */
const batchFilesMax = 8192;
const batchBytesMax = 4 * 1024 * 1024 * 1024;

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
  const reader = await BulkReader.open(repository);
  try {
    let batch: RestoreFile[] = [];
    let bytes = 0;
    for await (const file of files) {
      batch.push(file);
      bytes += file.node.sizeBytes;
      if (batch.length < batchFilesMax && bytes < batchBytesMax) continue;
      await new Batch(index, reader, batch, options).run();
      batch = [];
      bytes = 0;
    }
    await new Batch(index, reader, batch, options).run();
  } finally {
    await reader.close();
  }
}

class Batch {
  readonly #index: RepositoryIndex;
  readonly #reader: BulkReader;
  readonly #files: readonly RestoreFile[];
  readonly #options: RestoreFilesOptions;
  /** Parts that each file still waits for; -1 once it has failed. */
  readonly #parts: Int32Array;

  constructor(
    index: RepositoryIndex,
    reader: BulkReader,
    files: readonly RestoreFile[],
    options: RestoreFilesOptions,
  ) {
    this.#index = index;
    this.#reader = reader;
    this.#files = files;
    this.#options = options;
    this.#parts = Int32Array.from(files, ({ node }) => node.content?.length ?? 0);
  }

  async run(): Promise<void> {
    const plan = planRestore(this.#index, this.#files, await this.#findThere());
    for (const [file, error] of plan.missing) await this.#fail(file, error);
    for (const [file, { sink }] of this.#files.entries()) {
      if (this.#parts[file] === 0) await this.#finish(file, sink);
    }
    const receiver = {
      onBlob: (blob: WantedBlob, plain: Uint8Array) => this.#deliver(blob, plain),
      onLost: async (blob: WantedBlob, error: unknown) => {
        for (const file of filesOf(blob)) await this.#fail(file, error as Error);
      },
    };
    await this.#reader.read(plan.blobs, receiver, this.#options.signal);
  }

  /** Offsets of the parts that the target has, by number of file. Comparing takes time, so the event loop turns. */
  async #findThere(): Promise<Map<number, Set<number>>> {
    const there = new Map<number, Set<number>>();
    for (const [file, { node, isThere }] of this.#files.entries()) {
      if (!isThere || node.content?.some((id) => !this.#index.has('data', id))) continue;
      const offsets = new Set<number>();
      for (const { part } of partsIn(this.#index, node)) {
        this.#options.signal?.throwIfAborted();
        if (isThere(part)) {
          offsets.add(part.offset);
          this.#options.onBytes?.(part.length);
        }
        await nextTurn();
      }
      this.#parts[file]! -= offsets.size;
      there.set(file, offsets);
    }
    return there;
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
