import type { Clock } from '#base';
import { toHex } from '#base';
import type { BlobId, IndexId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { keepIfHeld, type RepositoryLock } from '../lock/lock.ts';
import type { UploadedPack } from '../pack/pack-uploader.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import { encodeIndex, type IndexPack } from './index-file.ts';

/** Restic closes an index file at these limits, so that an interrupted backup loses little. */
export const indexBlobCountMax = 50_000;
const ageMaxMs = 10 * 60_000;

/** Collects the contents of durable packs and writes index files about them. */
export class IndexWriter {
  readonly #unpacked: UnpackedFiles;
  readonly #clock: Clock;
  readonly #onSaved: (id: IndexId) => void;
  readonly #lock: Pick<RepositoryLock, 'assertHeld'>;
  readonly #signal: AbortSignal;
  #packs: IndexPack[] = [];
  #blobCount = 0;
  #begunMs = 0;
  #saves: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(options: {
    unpacked: UnpackedFiles;
    clock: Clock;
    onSaved: (id: IndexId) => void;
    /** Asked before each file: packs that nobody listed may be gone by the time at which a sleeper wakes. */
    lock: Pick<RepositoryLock, 'assertHeld'>;
    signal: AbortSignal;
  }) {
    this.#unpacked = options.unpacked;
    this.#clock = options.clock;
    this.#onSaved = options.onSaved;
    this.#lock = options.lock;
    this.#signal = options.signal;
  }

  /** Takes a pack that is durable. */
  add(pack: UploadedPack): void {
    if (this.#packs.length === 0) this.#begunMs = this.#clock.monotonicMs();
    this.#packs.push({
      id: pack.id,
      blobs: pack.entries.map((entry) => ({ ...entry, id: toHex(entry.id) as BlobId })),
    });
    this.#blobCount += pack.entries.length;
    const age = this.#clock.monotonicMs() - this.#begunMs;
    if (this.#blobCount >= indexBlobCountMax || age >= ageMaxMs) this.#save();
  }

  /** Writes what is collected and waits for every index file so far. */
  async flush(): Promise<void> {
    this.#save();
    await this.#saves;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits until no index file is being written, however that ended. */
  async settle(): Promise<void> {
    await this.#saves;
  }

  /** An index file that names packs that are gone would make others rely on them. */
  async #deleteIfUntrue(id: IndexId, packs: readonly IndexPack[]): Promise<void> {
    for (const pack of packs) {
      if (await this.#unpacked.storage.stat(nameOf('data', pack.id))) continue;
      return this.#unpacked.delete('index', id);
    }
  }

  #save(): void {
    if (this.#packs.length === 0) return;
    const packs = this.#packs;
    const json = encodeIndex({ packs });
    this.#packs = [];
    this.#blobCount = 0;
    this.#saves = this.#saves
      .then(async () => {
        await this.#lock.assertHeld();
        const id = await this.#unpacked.save('index', json, { signal: this.#signal });
        await keepIfHeld(this.#lock, () => this.#deleteIfUntrue(id, packs));
        this.#onSaved(id);
      })
      .catch((error: unknown) => {
        this.#failure ??= error;
      });
  }
}
