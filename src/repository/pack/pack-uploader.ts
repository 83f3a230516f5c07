import type { Storage } from '#storage';
import { packPlaces } from '../executor/arena.ts';
import type { LanePool } from '../executor/lane-pool.ts';
import type { PackId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import type { BlobType } from '../index/blob-table.ts';
import type { FinishedPack } from './pack-builder.ts';
import { type PackEntry, readPackHeader } from './pack-header.ts';
import type { SinglePack } from './single-pack.ts';

export interface UploadedPack {
  id: PackId;
  type: BlobType;
  sizeBytes: number;
  entries: PackEntry[];
}

/** Brings finished packs to the storage, a few at once, and tells who must know once they are durable. */
export class PackUploader {
  readonly #storage: Storage;
  readonly #onUploaded: (pack: UploadedPack) => void;
  readonly #underWay = new Set<Promise<void>>();
  readonly #signal: AbortSignal;
  #failure: unknown;

  /** @param signal stops uploads; what is under way may still arrive and is harmless */
  constructor(storage: Storage, onUploaded: (pack: UploadedPack) => void, signal: AbortSignal) {
    this.#storage = storage;
    this.#onUploaded = onUploaded;
    this.#signal = signal;
  }

  /** Begins an upload; a failure ends the pool, so that no more work is done for a snapshot that cannot be. */
  add(pool: LanePool, pack: FinishedPack, type: BlobType): void {
    this.#track(pool, this.#upload(pool, pack, type));
  }

  addSingle(pool: LanePool, pack: SinglePack): void {
    this.#track(pool, this.#uploadSingle(pack));
  }

  #track(pool: LanePool, work: Promise<void>): void {
    const upload = work
      .catch((error: unknown) => {
        this.#failure ??= error;
        pool.fail(this.#failure);
      })
      .finally(() => this.#underWay.delete(upload));
    this.#underWay.add(upload);
  }

  /** Waits until every pack so far is durable. */
  async drain(): Promise<void> {
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits until no upload is under way, however it ended. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #upload(pool: LanePool, pack: FinishedPack, type: BlobType): Promise<void> {
    const { body, header } = packPlaces(pool.layout, pack.buffer);
    const entries = readPackHeader(pool.bytes.slice(header, header + pack.headerBytes));
    if (!entries) throw new Error('the header of a finished pack is broken');
    const id = pack.id as PackId;
    const content = pool.bytes.subarray(body, body + pack.sizeBytes);
    await this.#storage.write(nameOf('data', id), content, { signal: this.#signal });
    this.#onUploaded({ id, type, sizeBytes: pack.sizeBytes, entries });
    pool.releaseBuffer(pack.buffer);
  }

  async #uploadSingle(pack: SinglePack): Promise<void> {
    await this.#storage.write(nameOf('data', pack.id), pack.bytes, { signal: this.#signal });
    this.#onUploaded({
      id: pack.id,
      type: pack.entry.type,
      sizeBytes: pack.bytes.length,
      entries: [pack.entry],
    });
  }
}
