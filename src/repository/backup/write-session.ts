import type { Clock, Random } from '#base';
import type { Storage } from '#storage';
import { Chunker } from '../chunker/chunker.ts';
import type { CompressionMode } from '../crypto/blob-codec.ts';
import type { Executor } from '../executor/executor.ts';
import { LanePool } from '../executor/lane-pool.ts';
import type { BlobId, IndexId } from '../format/ids.ts';
import type { MasterKey } from '../format/sealed.ts';
import { type BlobType, idWordsOfHex } from '../index/blob-table.ts';
import { IndexWriter } from '../index/index-writer.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import type { RepositoryLock } from '../lock/lock.ts';
import { PackUploader, type UploadedPack } from '../pack/pack-uploader.ts';
import { buildSinglePack } from '../pack/single-pack.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import { ChunkStream } from './chunk-stream.ts';

/** What every write to a repository needs. */
export interface WriteContext {
  storage: Storage;
  key: MasterKey;
  polynomial: bigint;
  unpacked: UnpackedFiles;
  index: RepositoryIndex;
  executor: Executor;
  clock: Clock;
  random: Random;
  /** Under which the session writes. */
  lock: RepositoryLock;
  /** Called with each new index file, so that it is not read again. */
  onIndexSaved(id: IndexId): void;
  /** Called when the session is closed: the index is free for the next one. */
  onClosed(): void;
}

export interface WriteOptions {
  compression?: CompressionMode;
  /** Open and re-hash each blob before upload; on unless turned off. */
  verify?: boolean;
  packSizeBytes?: number;
}

/** New blobs of a session, so far durable or not. */
export interface StoredCounts {
  dataBlobs: number;
  treeBlobs: number;
  /** Plain bytes of new blobs, and what they take in the storage. */
  dataAdded: number;
  dataAddedPacked: number;
}

/** A pack that is being filled or uploaded lies in memory, one for each lane and upload (decision 0092). */
const packSizeDefault = 8 * 1024 * 1024;
/** Slots beyond one per lane: what is being filled while the lanes work. */
const extraSlots = 1;
/** Packs that wait for their upload; more hides the latency of a remote storage. */
const uploadsMax = 4;

/** The way of new blobs into a repository: lanes → packs → storage → index. Durable after `flush`. */
export class WriteSession {
  readonly pool: LanePool;
  readonly counts: StoredCounts = { dataBlobs: 0, treeBlobs: 0, dataAdded: 0, dataAddedPacked: 0 };
  readonly #context: WriteContext;
  readonly #uploader: PackUploader;
  readonly #indexWriter: IndexWriter;
  readonly #abort = new AbortController();
  #closed: Promise<void> | undefined;
  #chunker: Chunker | undefined;

  constructor(context: WriteContext, options: WriteOptions = {}) {
    this.#context = context;
    this.#indexWriter = new IndexWriter({
      unpacked: context.unpacked,
      clock: context.clock,
      onSaved: context.onIndexSaved,
      lock: context.lock,
      signal: this.#abort.signal,
    });
    this.#uploader = new PackUploader(context.storage, (pack) => this.#onUploaded(pack), this.#abort.signal);
    this.pool = new LanePool({
      executor: context.executor,
      table: context.index.table,
      key: context.key,
      compression: options.compression ?? 'auto',
      verify: options.verify ?? true,
      packSizeTarget: options.packSizeBytes ?? packSizeDefault,
      uploads: Math.min(uploadsMax, context.storage.capabilities.concurrency),
      extraSlots,
      onPack: (pack, type) => this.#uploader.add(this.pool, pack, type),
    });
  }

  /** A stream of data to be cut into blobs. */
  openStream(): ChunkStream {
    this.#chunker ??= new Chunker(this.pool.memory, this.#context.polynomial);
    return new ChunkStream(this.pool, this.#chunker);
  }

  /** Stores a blob that fits no slot, in a pack of its own, unless it is there. */
  storeHuge(type: BlobType, plain: Uint8Array, id: BlobId): void {
    const { index, key, random } = this.#context;
    if (!index.table.claim(type, idWordsOfHex(id))) return;
    this.#uploader.addSingle(this.pool, buildSinglePack(key, type, id, plain, random));
  }

  /** Makes everything stored so far durable: packs first, then the index files that name them. */
  async flush(): Promise<void> {
    await this.pool.finishPacks();
    await this.#uploader.drain();
    await this.#indexWriter.flush();
  }

  /**
   * Ends lanes and uploads; nothing runs any more when it has resolved. Without a `flush` before, what was stored
   * last stays unreferenced and harmless. May be called twice.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#abort.abort(new Error('the write session was closed'));
    await this.pool.close();
    await Promise.all([this.#uploader.settle(), this.#indexWriter.settle()]);
    this.#context.onClosed();
  }

  #onUploaded(pack: UploadedPack): void {
    this.#context.index.placePack(pack);
    this.#indexWriter.add(pack);
    for (const entry of pack.entries) {
      if (entry.type === 'tree') this.counts.treeBlobs++;
      else this.counts.dataBlobs++;
      this.counts.dataAdded += entry.uncompressedLength || entry.length - 32;
      this.counts.dataAddedPacked += entry.length;
    }
  }
}
