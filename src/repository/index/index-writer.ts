import type { Clock } from '#base';
import { toHex } from '#base';
import type { BlobId, IndexId, PackId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { keepIfHeld, type RepositoryLock } from '../lock/lock.ts';
import type { UploadedPack } from '../pack/pack-uploader.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import { encodePack, joinIndex } from './index-file.ts';

/** Restic closes an index file at this count. A prune makes such files of the smaller ones. */
export const indexBlobCountMax = 50_000;
/** A file is compressed and sealed in memory, several copies of 150 bytes a blob at once: smaller while a backup runs. */
const blobCountMax = 16_384;
/** So that an interrupted backup loses little. */
const ageMaxMs = 10 * 60_000;

/** Collects the contents of durable packs and writes index files about them. */
export class IndexWriter {
  readonly #unpacked: UnpackedFiles;
  readonly #clock: Clock;
  readonly #onSaved: (id: IndexId) => void;
  readonly #lock: Pick<RepositoryLock, 'assertHeld'>;
  readonly #signal: AbortSignal;
  #packs: { id: PackId; json: string }[] = [];
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
    const blobs = pack.entries.map((entry) => ({ ...entry, id: toHex(entry.id) as BlobId }));
    this.#packs.push({ id: pack.id, json: encodePack({ id: pack.id, blobs }) });
    this.#blobCount += pack.entries.length;
    const age = this.#clock.monotonicMs() - this.#begunMs;
    if (this.#blobCount >= blobCountMax || age >= ageMaxMs) this.#save();
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
  async #deleteIfUntrue(id: IndexId, packs: readonly { id: PackId }[]): Promise<void> {
    for (const pack of packs) {
      if (await this.#unpacked.storage.stat(nameOf('data', pack.id))) continue;
      return this.#unpacked.delete('index', id);
    }
  }

  #save(): void {
    if (this.#packs.length === 0) return;
    const packs = this.#packs.map(({ id }) => ({ id }));
    const json = joinIndex(
      this.#packs.map((pack) => pack.json),
      [],
    );
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
