import type { ReadOptions } from '#storage';
import type { RepositoryCache } from '../cache/repository-cache.ts';
import type { IndexId } from '../format/ids.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import { CompactIndex } from './compact-index.ts';
import { RepositoryIndex } from './repository-index.ts';

/** Files that are fetched ahead while one is read. */
const fetchedAhead = 4;
/** Slack of the estimated number of blobs. */
const estimateSlack = 1.02;

export interface LoadedIndex {
  index: RepositoryIndex;
  /** The index files it was made of. */
  files: IndexId[];
}

export interface LoadIndexOptions extends ReadOptions {
  /** Goes on without an index file that cannot be read. Without it, the first one is an error. */
  onDamaged?: (id: IndexId, error: unknown) => void;
  /** Spares reading the files that it knows. Without it, what is read is what the storage has. */
  cache?: RepositoryCache | undefined;
}

/**
 * Reads all index files into one table. List snapshots before: the other way round a fresh index can be missed.
 * @throws RepositoryError 'repository.damaged'
 */
export async function loadIndex(
  unpacked: UnpackedFiles,
  options: LoadIndexOptions = {},
): Promise<LoadedIndex> {
  const listed: { id: IndexId; sizeBytes: number }[] = [];
  for await (const file of unpacked.list('index', options)) listed.push(file);
  listed.sort((a, b) => b.sizeBytes - a.sizeBytes);
  const total = listed.reduce((sum, file) => sum + file.sizeBytes, 0);
  const index = new RepositoryIndex(0);
  const files: IndexId[] = [];
  let seenBytes = 0;
  for await (const { id, sizeBytes, load } of loadInTurn(unpacked, listed, options)) {
    seenBytes += sizeBytes;
    try {
      const file = await load;
      const count = file.blobCount;
      if (index.table.room < count) {
        const expected = ((index.table.size + count) * total * estimateSlack) / seenBytes - index.table.size;
        index.table.addSegment(Math.max(count, Math.ceil(expected)));
      }
      enterFile(file, index);
      files.push(id);
    } catch (error) {
      if (!options.onDamaged || options.signal?.aborted) throw error;
      options.onDamaged(id, error);
    }
  }
  await options.cache?.keepOnly(
    'index',
    listed.map(({ id }) => id),
  );
  return { index, files };
}

interface ListedFile {
  id: IndexId;
  sizeBytes: number;
}

/** The files in order, some fetched ahead. Ends what is under way when it is left. */
async function* loadInTurn(
  unpacked: UnpackedFiles,
  files: readonly ListedFile[],
  options: LoadIndexOptions,
): AsyncGenerator<ListedFile & { load: Promise<CompactIndex> }> {
  const left = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  const ahead: Promise<CompactIndex>[] = [];
  const queue = files.values();
  try {
    for (const file of files) {
      while (ahead.length < fetchedAhead) {
        const next = queue.next();
        if (next.done) break;
        const load = loadFile(unpacked, next.value.id, { ...options, signal });
        // A failure is reported when the turn of the file comes, not before.
        load.catch(() => {});
        ahead.push(load);
      }
      yield { ...file, load: ahead.shift()! };
    }
  } finally {
    left.abort(new Error('the index is no longer wanted'));
    await Promise.allSettled(ahead);
  }
}

async function loadFile(
  unpacked: UnpackedFiles,
  id: IndexId,
  { cache, signal }: LoadIndexOptions,
): Promise<CompactIndex> {
  const kept = await cache?.load('index', id, { signal });
  if (kept) return new CompactIndex(kept);
  const file = CompactIndex.ofJson(await unpacked.load('index', id, { signal }));
  await cache?.save('index', id, file.bytes);
  return file;
}

function enterFile(file: CompactIndex, index: RepositoryIndex): void {
  for (const { id, isMarked, timeMs, blobs } of file.packs()) {
    if (isMarked) {
      index.addMarkedPack({ id, markedAtMs: timeMs ?? 0, blobs: blobs.copy() });
      continue;
    }
    const pack = index.addPack(id);
    blobs.forEach((type, words, offset, length, uncompressedLength) => {
      index.addBlob(type, words, pack, offset, length, uncompressedLength);
    });
  }
}
