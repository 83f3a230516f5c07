import { storeBlob } from '../backup/store-blob.ts';
import type { WriteSession } from '../backup/write-session.ts';
import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import { idWordsOfHex } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import { isLoss } from '../loss.ts';
import { BulkReader } from '../read/bulk-reader.ts';
import { type PlacedBlob, plainLengthOf } from '../read/pack-ranges.ts';
import type { Repository } from '../repository.ts';
import { decodeTree } from '../snapshot/tree-decode.ts';

export interface CopyProgress {
  snapshotsTotal: number;
  snapshotsDone: number;
  treesDone: number;
  /** Plain bytes that were copied so far. */
  bytesDone: number;
}

/** Blobs whose reading is planned together: enough to read each pack in one go, and a bound on memory. */
const batchBlobsMax = 64 * 1024;
const batchBytesMax = 1024 * 1024 * 1024;

/** Brings trees and what is below them into another repository, each blob opened and checked on its way. */
export class TreeCopier {
  readonly #from: Repository;
  readonly #index: RepositoryIndex;
  readonly #session: WriteSession;
  readonly #present: RepositoryIndex;
  readonly #reader: BulkReader;
  readonly #progress: CopyProgress;
  readonly #signal: AbortSignal;
  /** Trees that were walked and data blobs that were planned, by their slots in the index. */
  #seen: SlotSet;
  /** The same for what lies in packs marked for deletion only, which the table of the index does not hold. */
  #seenMarked = new Set<string>();
  #batch: PlacedBlob[] = [];
  #batchBytes = 0;

  static async open(options: {
    from: Repository;
    session: WriteSession;
    /** What the target holds. */
    present: RepositoryIndex;
    progress: CopyProgress;
    signal: AbortSignal;
  }): Promise<TreeCopier> {
    const index = await options.from.index();
    return new TreeCopier({ ...options, index, reader: await BulkReader.open(options.from) });
  }

  private constructor(options: {
    from: Repository;
    index: RepositoryIndex;
    session: WriteSession;
    present: RepositoryIndex;
    reader: BulkReader;
    progress: CopyProgress;
    signal: AbortSignal;
  }) {
    this.#from = options.from;
    this.#index = options.index;
    this.#session = options.session;
    this.#present = options.present;
    this.#reader = options.reader;
    this.#progress = options.progress;
    this.#signal = options.signal;
    this.#seen = new SlotSet(options.index.table.slots);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  /**
   * Copies what is missing of one snapshot. A tree that the target has is walked all the same: an interrupted copy may
   * have stored it without what is below.
   * @throws RepositoryError 'repository.damaged', 'repository.incomplete' when a part cannot be read; others may be
   */
  async copy(root: BlobId): Promise<void> {
    try {
      await this.#walk(root);
    } catch (error) {
      // Another snapshot that shares what could not be read must meet the same error.
      this.#seen = new SlotSet(this.#index.table.slots);
      this.#seenMarked.clear();
      this.#batch = [];
      this.#batchBytes = 0;
      throw error;
    }
  }

  async #walk(root: BlobId): Promise<void> {
    const queue = [root];
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      this.#signal.throwIfAborted();
      if (!this.#isNew('tree', id)) continue;
      queue.push(...(await this.#copyTree(id)));
      if (this.#batch.length >= batchBlobsMax || this.#batchBytes >= batchBytesMax) await this.#copyBatch();
    }
    await this.#copyBatch();
  }

  /** @returns the folders in it */
  async #copyTree(id: BlobId): Promise<BlobId[]> {
    const reader = await this.#from.blobReader();
    const json = await reader.read('tree', id, this.#signal);
    const folders: BlobId[] = [];
    for (const { content, subtree } of decodeTree(json).nodes) {
      if (subtree) folders.push(subtree);
      for (const blob of content ?? []) this.#plan(blob);
    }
    await storeBlob(this.#session, 'tree', json, id);
    this.#progress.treesDone++;
    return folders;
  }

  #plan(id: BlobId): void {
    if (!this.#isNew('data', id) || this.#present.has('data', id)) return;
    const place = this.#index.places('data', id)[0]!;
    const plainLength = plainLengthOf(place);
    this.#batch.push({ id, place, plainLength });
    this.#batchBytes += plainLength;
  }

  /** Notes the blob as seen. @throws RepositoryError 'repository.incomplete' when no index file knows it */
  #isNew(type: 'data' | 'tree', id: BlobId): boolean {
    const slot = this.#index.table.slot(type, idWordsOfHex(id));
    if (slot >= 0) return this.#seen.add(slot);
    const key = `${type} ${id}`;
    if (this.#seenMarked.has(key)) return false;
    this.#seenMarked.add(key);
    if (this.#index.places(type, id).length > 0) return true;
    throw new RepositoryError(
      'repository.incomplete',
      `no index file knows the ${type} blob ${id.slice(0, 12)}`,
      {
        hint: 'Run `holdfast check` on the repository that is copied from, then `holdfast repair index`.',
        context: { blob: id },
      },
    );
  }

  async #copyBatch(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    let lost: unknown;
    await this.#reader.read(
      batch,
      {
        onBlob: async ({ id }, plain) => {
          await storeBlob(this.#session, 'data', plain, id);
          this.#progress.bytesDone += plain.length;
        },
        onLost: async (_blob, error) => {
          if (!isLoss(error)) throw error;
          lost ??= error;
        },
      },
      this.#signal,
    );
    if (lost !== undefined) throw lost;
  }
}
