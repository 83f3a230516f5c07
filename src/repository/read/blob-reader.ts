import { collect, systemRandom } from '#base';
import type { Storage } from '#storage';
import type { RepositoryCache, TreePart } from '../cache/repository-cache.ts';
import { type BlobCodec, codecScratchBytes, sealedSizeMax } from '../crypto/blob-codec.ts';
import { createBlobCodec } from '../crypto/create-codec.ts';
import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import type { MasterKey } from '../format/sealed.ts';
import { type BlobLocation, type BlobType, idWordsOfHex } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { isLoss } from '../loss.ts';
import type { Tree } from '../snapshot/tree.ts';
import { decodeTree } from '../snapshot/tree-decode.ts';

/** Trees of neighbouring folders lie side by side in a pack, so more than one is read at a time. */
const windowBytes = 512 * 1024;
const windowsKept = 8;

/** Most readers see trees only; the memory doubles when a blob needs more. */
const plainBytesMin = 64 * 1024;

interface Window {
  pack: number;
  offset: number;
  length: number;
  /** Being fetched, or fetched: who needs it meanwhile waits for the same request. */
  bytes: Promise<Uint8Array>;
}

/**
 * Reads single blobs on the calling thread: trees, and files when they are wanted in order. Whole restores go
 * through the lanes instead. The plaintext returned is a copy.
 */
export class BlobReader {
  readonly #storage: Storage;
  readonly #index: RepositoryIndex;
  readonly #key: MasterKey;
  readonly #cache: RepositoryCache | undefined;
  #isCacheLimited = false;
  #codec: BlobCodec | undefined;
  #memory = new SharedArrayBuffer(0);
  #plainBytes = 0;
  #windows: Window[] = [];

  /** @param cache keeps what was read of packs of trees */
  constructor(storage: Storage, index: RepositoryIndex, key: MasterKey, cache?: RepositoryCache) {
    this.#storage = storage;
    this.#index = index;
    this.#key = key;
    this.#cache = cache;
  }

  /**
   * Reads every known copy until one opens, each twice: the fault may have been in the transfer.
   * @throws RepositoryError 'repository.incomplete' when no index file knows the blob, 'repository.damaged' when
   * no copy of it opens to the right bytes; StorageError when that cannot be told
   */
  async read(type: BlobType, id: BlobId, signal?: AbortSignal): Promise<Uint8Array> {
    const places = this.#index.places(type, id);
    if (places.length === 0) {
      throw new RepositoryError(
        'repository.incomplete',
        `no index file knows the ${type} blob ${id.slice(0, 12)}`,
        {
          hint: 'Run `holdfast repair index`, then `holdfast check`.',
          context: { blob: id },
        },
      );
    }
    let cause: unknown;
    let unanswered: unknown;
    for (const place of places.flatMap((one) => [one, one])) {
      try {
        const plain = this.#open(await this.#sealedBytes(type, place, signal), place, id);
        if (plain) return plain;
        await this.#forgetWindows(place.pack);
      } catch (error) {
        if (signal?.aborted) throw error;
        cause = error;
        if (!isLoss(error)) unanswered ??= error;
      }
    }
    // A storage that does not answer says nothing about the blob.
    if (unanswered !== undefined) throw unanswered;
    const pack = this.#index.packs.idOf(places[0]!.pack);
    throw new RepositoryError(
      'repository.damaged',
      `the ${type} blob ${id.slice(0, 12)} in pack ${pack.slice(0, 12)} is damaged`,
      {
        hint: 'Run `holdfast check --read-data` to see what suffers, then `holdfast repair packs`.',
        context: { blob: id, pack },
        cause,
      },
    );
  }

  /** The entries of a folder, in order of their names' bytes. */
  async readTree(id: BlobId, signal?: AbortSignal): Promise<Tree> {
    return decodeTree(await this.read('tree', id, signal));
  }

  /** Plain bytes of a blob; 0 when no index file knows it. */
  sizeOf(type: BlobType, id: BlobId): number {
    return this.#index.plainSize(type, id) ?? 0;
  }

  async #sealedBytes(
    type: BlobType,
    place: BlobLocation,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    if (type === 'data') return this.#fetch(place.pack, place.offset, place.length, signal);
    return this.#fromWindow(place, signal);
  }

  async #fromWindow(place: BlobLocation, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { pack, offset, length } = place;
    const holds = (one: Window): boolean =>
      one.pack === pack && one.offset <= offset && offset + length <= one.offset + one.length;
    const known = this.#windows.find(holds);
    const window = known ?? this.#openWindow(place, signal);
    try {
      return (await window.bytes).subarray(offset - window.offset, offset - window.offset + length);
    } catch (error) {
      this.#windows = this.#windows.filter((one) => one !== window);
      if (!known && window.length === length) throw error;
      // Another reader was interrupted, or the pack is cut behind this blob: not our fault.
      return this.#fetch(pack, offset, length, signal);
    }
  }

  #openWindow({ pack, offset, length }: BlobLocation, signal: AbortSignal | undefined): Window {
    // From a cache the same parts are wanted again, wherever a reader begins.
    const start = this.#cache ? offset - (offset % windowBytes) : offset;
    const wanted = Math.max(
      offset + length - start,
      Math.min(windowBytes, this.#index.packEnd(pack) - start),
    );
    const place = { pack, offset: start, length: wanted };
    const window = { ...place, bytes: this.#partOf(place, signal) };
    this.#windows = [window, ...this.#windows.slice(0, windowsKept - 1)];
    return window;
  }

  async #partOf(
    { pack, offset, length }: Omit<Window, 'bytes'>,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const part: TreePart = `${this.#index.packs.idOf(pack)}-${offset}`;
    const kept = await this.#cache?.load('trees', part, { signal });
    if (kept && kept.length >= length) return kept;
    const bytes = await this.#fetch(pack, offset, length, signal);
    // Nobody waits for the disk; a cache that fails says so itself.
    void this.#save(part, bytes);
    return bytes;
  }

  async #save(part: TreePart, bytes: Uint8Array): Promise<void> {
    if (!this.#cache) return;
    if (!this.#isCacheLimited) {
      this.#isCacheLimited = true;
      await this.#cache.limitTrees();
    }
    await this.#cache.save('trees', part, bytes);
  }

  /** Makes the next read of a tree in this pack ask the storage again. */
  async #forgetWindows(pack: number): Promise<void> {
    const ofPack = this.#windows.filter((window) => window.pack === pack);
    this.#windows = this.#windows.filter((window) => window.pack !== pack);
    const id = this.#index.packs.idOf(pack);
    for (const { offset } of ofPack) await this.#cache?.drop('trees', `${id}-${offset}`);
  }

  #fetch(pack: number, offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const name = nameOf('data', this.#index.packs.idOf(pack));
    return collect(this.#storage.read(name, { offset, length }, signal ? { signal } : {}));
  }

  #open(sealed: Uint8Array, place: BlobLocation, id: BlobId): Uint8Array | undefined {
    const plainLength = place.uncompressedLength || place.length;
    this.#ensureMemory(Math.max(plainLength, place.length));
    const bytes = new Uint8Array(this.#memory);
    const sealedAt = codecScratchBytes + 64;
    const plainAt = sealedAt + sealedSizeMax(this.#plainBytes);
    bytes.set(sealed, sealedAt);
    const size = this.#codec!.open(
      sealedAt,
      place.length,
      place.uncompressedLength,
      plainAt,
      this.#plainBytes,
    );
    if (size < 0) return undefined;
    this.#codec!.hash(plainAt, size, codecScratchBytes);
    const found = new Int32Array(this.#memory, codecScratchBytes, 8);
    const wanted = idWordsOfHex(id);
    return found.every((word, i) => word === wanted[i]) ? bytes.slice(plainAt, plainAt + size) : undefined;
  }

  /** A blob of another program may be larger than any chunk of ours; a tree of a huge folder certainly is. */
  #ensureMemory(plainBytes: number): void {
    if (plainBytes <= this.#plainBytes) return;
    this.#plainBytes = Math.max(plainBytesMin, 2 ** Math.ceil(Math.log2(plainBytes)));
    this.#memory = new SharedArrayBuffer(
      codecScratchBytes + 64 + sealedSizeMax(this.#plainBytes) + this.#plainBytes,
    );
    this.#codec = createBlobCodec({
      memory: this.#memory,
      scratch: 0,
      key: this.#key,
      random: systemRandom,
      compression: 'auto',
    });
  }
}
