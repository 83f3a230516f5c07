import type { Storage } from '#storage';
import type { PackId } from '../format/ids.ts';
import { idOfName } from '../format/names.ts';
import { PackList } from '../index/pack-list.ts';

/** The pack files of a repository as the storage lists them; about 60 bytes for each. */
export class StoredPacks {
  readonly #packs = new PackList();
  readonly #sizes: number[] = [];
  readonly #modifiedMs: number[] = [];

  static async list(storage: Storage, signal: AbortSignal): Promise<StoredPacks> {
    const packs = new StoredPacks();
    for await (const { name, sizeBytes, modifiedAt } of storage.list('data/', { signal })) {
      const id = idOfName('data', name);
      if (id !== undefined) packs.#add(id, sizeBytes, modifiedAt?.getTime() ?? 0);
    }
    return packs;
  }

  get count(): number {
    return this.#sizes.length;
  }

  get sizeBytes(): number {
    return this.#sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Size of the file, or undefined when there is none. */
  sizeOf(id: PackId): number | undefined {
    return this.#sizes[this.#numberOf(id)];
  }

  /** When the storage last wrote the file, in milliseconds since 1970; 0 when it does not say. */
  modifiedMsOf(id: PackId): number {
    return this.#modifiedMs[this.#numberOf(id)] ?? 0;
  }

  *ids(): Generator<PackId> {
    for (let pack = 0; pack < this.count; pack++) yield this.#packs.idOf(pack);
  }

  /** Takes in a file that a listing did not show yet. */
  addLate(id: PackId, sizeBytes: number): void {
    this.#add(id, sizeBytes, 0);
  }

  #add(id: PackId, sizeBytes: number, modifiedMs: number): void {
    const pack = this.#packs.add(id);
    this.#sizes[pack] = sizeBytes;
    this.#modifiedMs[pack] = modifiedMs;
  }

  #numberOf(id: PackId): number {
    return this.#packs.numberOf(Buffer.from(id, 'hex'));
  }
}
