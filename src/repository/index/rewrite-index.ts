import { hash } from 'node:crypto';
import { toHex } from '#base';
import type { BlobId, IndexId, PackId } from '../format/ids.ts';
import { keepIfHeld, type RepositoryLock } from '../lock/lock.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import type { StoredFile } from '../unpacked-raw.ts';
import { encodePack, type IndexBlob, type IndexPack, joinIndex } from './index-file.ts';
import { scanIndex } from './index-file-scan.ts';
import { indexBlobCountMax } from './index-writer.ts';
import type { RepositoryIndex } from './repository-index.ts';

/** What shall become of a pack, in whichever index files it stands and however. */
export type PackFate = 'live' | 'dropped' | { markedAtMs: number };

export interface RewriteOptions {
  unpacked: UnpackedFiles;
  /** What the index files say together. A pack that it does not know is left as it is. */
  index: RepositoryIndex;
  /** @param pack by its number in the index */
  fateOf(pack: number): PackFate;
  /** Packs to be marked that stand in no index file yet. */
  addedMarks?: readonly IndexPack[];
  /** Files that are neither read nor replaced. */
  passOver?: ReadonlySet<IndexId>;
  /** Under which it writes: without it, what was written is taken back. */
  lock?: Pick<RepositoryLock, 'assertHeld' | 'signal'>;
}

export interface RewrittenIndex {
  /** New index files, durable. */
  saved: IndexId[];
  /** Files that the new ones replace. The caller deletes them: until then all is in the index twice, which is harmless. */
  obsolete: IndexId[];
}

/** Files below this size are put together when there are so many of them. */
const smallFileBytes = 512 * 1024;
const smallFilesMin = 10;

/**
 * Writes the index files anew that say something else of a pack than its fate, and leaves the others. One file is
 * in memory at a time. Deletes nothing.
 * @throws RepositoryError 'repository.damaged' when a file cannot be read
 */
export async function rewriteIndex(options: RewriteOptions): Promise<RewrittenIndex> {
  const { unpacked, lock } = options;
  const signal = lock?.signal;
  const readOptions = signal ? { signal } : {};
  const files: StoredFile<IndexId>[] = [];
  for await (const file of unpacked.list('index', readOptions))
    if (!options.passOver?.has(file.id)) files.push(file);
  const isSmall = ({ sizeBytes }: StoredFile<IndexId>) => sizeBytes < smallFileBytes;
  const mergesSmall = files.filter(isSmall).length >= smallFilesMin;
  const output = new IndexOutput(unpacked, signal);
  const obsolete: IndexId[] = [];
  for (const file of files) {
    signal?.throwIfAborted();
    const json = await unpacked.load('index', file.id, readOptions);
    if (!(mergesSmall && isSmall(file)) && !needsRewriting(json, options)) continue;
    obsolete.push(file.id);
    for (const mention of mentionsOf(json, options)) await output.add(mention);
  }
  for (const pack of options.addedMarks ?? [])
    await output.add({
      json: encodePack(pack),
      blobCount: pack.blobs.length,
      isMarked: true,
      isRepeated: false,
    });
  const saved = await output.end();
  if (lock) {
    await keepIfHeld(lock, async () => {
      for (const id of saved) await unpacked.delete('index', id);
    });
  }
  return { saved, obsolete };
}

function needsRewriting(json: Uint8Array, options: RewriteOptions): boolean {
  let isNeeded = false;
  const packId = new Uint8Array(32);
  let isMarked = false;
  scanIndex(json, {
    packId,
    blobId: new Uint8Array(32),
    beginPack: (marked) => {
      isMarked = marked;
    },
    blob: () => {},
    endPack: ({ timeMs }) => {
      const pack = options.index.packs.numberOf(packId);
      if (pack < 0) return;
      const fate = mentionFate(options, pack, isMarked);
      const isSame =
        typeof fate === 'object' ? isMarked && fate.markedAtMs === timeMs : fate === 'live' && !isMarked;
      isNeeded ||= !isSame || options.index.isRepeated(pack);
    },
  });
  return isNeeded;
}

/** A pack that is listed and marked as well needs its listing only: a mark may lack the blobs. */
function mentionFate({ index, fateOf }: RewriteOptions, pack: number, isMarked: boolean): PackFate {
  return isMarked && index.isLive(pack) ? 'dropped' : fateOf(pack);
}

/** A pack as an index file is to list it. */
interface Mention {
  json: string;
  blobCount: number;
  isMarked: boolean;
  /** Another file may say the same. */
  isRepeated: boolean;
}

/** What is left of an index file. */
function mentionsOf(json: Uint8Array, options: RewriteOptions): Mention[] {
  const { index } = options;
  const mentions: Mention[] = [];
  const packId = new Uint8Array(32);
  const blobId = new Uint8Array(32);
  let wasMarked = false;
  let blobs: IndexBlob[] = [];
  scanIndex(json, {
    packId,
    blobId,
    beginPack: (marked) => {
      wasMarked = marked;
      blobs = [];
    },
    blob: (type, offset, length, uncompressedLength) => {
      blobs.push({ id: toHex(blobId) as BlobId, type, offset, length, uncompressedLength });
    },
    endPack: (facts) => {
      const pack = index.packs.numberOf(packId);
      const asItWas: PackFate = wasMarked ? { markedAtMs: facts.timeMs ?? 0 } : 'live';
      const fate = pack < 0 ? asItWas : mentionFate(options, pack, wasMarked);
      if (fate === 'dropped') return;
      const isMarked = fate !== 'live';
      // The time of a mark that is taken back means nothing.
      const timeMs = isMarked ? fate.markedAtMs : wasMarked ? undefined : facts.timeMs;
      mentions.push({
        json: encodePack({
          id: toHex(packId) as PackId,
          blobs,
          ...(timeMs === undefined ? {} : { timeMs }),
          ...(facts.sizeBytes === undefined ? {} : { sizeBytes: facts.sizeBytes }),
        }),
        blobCount: blobs.length,
        isMarked,
        isRepeated: isMarked || (pack >= 0 && index.isRepeated(pack)),
      });
    },
  });
  return mentions;
}

/** New index files, each closed when it is full. */
class IndexOutput {
  readonly #unpacked: UnpackedFiles;
  readonly #signal: AbortSignal | undefined;
  readonly #saved: IndexId[] = [];
  /** Hashes of what was written of repeated packs: after an interrupted prune the same stands in two files. */
  readonly #repeated = new Set<string>();
  #packs: string[] = [];
  #marked: string[] = [];
  #blobCount = 0;

  constructor(unpacked: UnpackedFiles, signal: AbortSignal | undefined) {
    this.#unpacked = unpacked;
    this.#signal = signal;
  }

  async add({ json, blobCount, isMarked, isRepeated }: Mention): Promise<void> {
    if (isRepeated) {
      const key = hash('sha256', json, 'base64');
      if (this.#repeated.has(key)) return;
      this.#repeated.add(key);
    }
    (isMarked ? this.#marked : this.#packs).push(json);
    this.#blobCount += blobCount;
    if (this.#blobCount >= indexBlobCountMax) await this.#save();
  }

  async end(): Promise<IndexId[]> {
    await this.#save();
    return this.#saved;
  }

  async #save(): Promise<void> {
    if (this.#packs.length === 0 && this.#marked.length === 0) return;
    const json = joinIndex(this.#packs, this.#marked);
    this.#packs = [];
    this.#marked = [];
    this.#blobCount = 0;
    this.#saved.push(await this.#unpacked.save('index', json, this.#signal ? { signal: this.#signal } : {}));
  }
}
