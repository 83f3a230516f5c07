import type { Storage } from '#storage';
import type { RepositoryCache } from './cache/repository-cache.ts';
import type { IndexId } from './format/ids.ts';
import type { MasterKey } from './format/sealed.ts';
import { loadIndex } from './index/load-index.ts';
import type { RepositoryIndex } from './index/repository-index.ts';
import { addUnlistedPacks } from './index/unlisted-packs.ts';
import { isLoss } from './loss.ts';
import { BlobReader } from './read/blob-reader.ts';
import type { UnpackedFiles } from './unpacked.ts';

/** An index, the files it was made of (our own new ones included), and its reader. */
interface LoadedIndex {
  index: RepositoryIndex;
  files: Set<IndexId>;
  reader: BlobReader;
  damaged: readonly DamagedIndexFile[];
}

export interface DamagedIndexFile {
  id: IndexId;
  error: Error;
}

interface CurrentIndexOptions {
  storage: Storage;
  key: MasterKey;
  unpacked: UnpackedFiles;
  cache: RepositoryCache | undefined;
  /** Whether packs may be asked in place of a damaged index file; otherwise it is an error. */
  isReading: () => boolean;
}

/** The index of a repository as it is now: read once, kept up to date by our own writes, and read again when others wrote. */
export class CurrentIndex {
  readonly #options: CurrentIndexOptions;
  #loaded: Promise<LoadedIndex> | undefined;
  /** Others may have written since the index files were listed. */
  #isDue = true;
  /** Indexes in which a write session claims ids. A second session must not take such a claim for a stored blob. */
  readonly #claimed = new WeakSet<RepositoryIndex>();

  constructor(options: CurrentIndexOptions) {
    this.#options = options;
  }

  get(): Promise<LoadedIndex> {
    if (this.#loaded && !this.#isDue) return this.#loaded;
    this.#isDue = false;
    const loaded = this.#refreshed(this.#loaded);
    this.#loaded = loaded;
    // A failed load may be tried again.
    loaded.catch(() => {
      if (this.#loaded === loaded) this.forget();
    });
    return loaded;
  }

  /** Others may have written: the next use lists the index files. */
  expectChange(): void {
    this.#isDue = true;
  }

  /** The next use reads the index files again. */
  forget(): void {
    this.#loaded = undefined;
    this.#isDue = true;
  }

  /**
   * An index for one write session alone, until it is released: the current one, or one of its own while another session
   * has that.
   * @throws RepositoryError for a damaged index file: what is written must not rest on what a reader made do with
   */
  async claim(): Promise<{ index: RepositoryIndex; files: Set<IndexId>; release: () => void }> {
    const current = await this.get();
    if (current.damaged.length > 0) throw current.damaged[0]!.error;
    const { index, files } = this.#claimed.has(current.index) ? await this.#load() : current;
    this.#claimed.add(index);
    const release = (): void => {
      this.#claimed.delete(index);
      // When the current index is another by now, it doesn't know what this session wrote.
      this.#isDue = true;
    };
    return { index, files, release };
  }

  async #refreshed(before: Promise<LoadedIndex> | undefined): Promise<LoadedIndex> {
    const known = await before?.catch(() => undefined);
    const isWhole = known?.damaged.length === 0 && (await this.#areAllFiles(known.files));
    return isWhole ? known : this.#load();
  }

  async #load(): Promise<LoadedIndex> {
    const { storage, key, unpacked, cache, isReading } = this.#options;
    const damaged: DamagedIndexFile[] = [];
    const onDamaged = (id: IndexId, error: unknown): void => {
      if (!isReading() || !isLoss(error)) throw error;
      damaged.push({ id, error });
    };
    const { index, files } = await loadIndex(unpacked, { onDamaged, cache });
    if (damaged.length > 0) await addUnlistedPacks({ storage, key }, index);
    const reader = new BlobReader(storage, index, key, cache);
    return { index, files: new Set(files), reader, damaged };
  }

  async #areAllFiles(files: ReadonlySet<IndexId>): Promise<boolean> {
    let count = 0;
    for await (const { id } of this.#options.unpacked.list('index')) {
      if (!files.has(id)) return false;
      count++;
    }
    return count === files.size;
  }
}
