import type { ReadOptions } from '#storage';
import type { BlobId, IndexId, PackId } from '../format/ids.ts';
import type { UnpackedFiles } from '../unpacked.ts';
import { type BlobType, hexOfWords } from './blob-table.ts';
import { scanIndex } from './index-file-scan.ts';
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
      const json = await load;
      const count = countBlobs(json);
      if (index.table.room < count) {
        const expected = ((index.table.size + count) * total * estimateSlack) / seenBytes - index.table.size;
        index.table.addSegment(Math.max(count, Math.ceil(expected)));
      }
      enterFile(json, index);
      files.push(id);
    } catch (error) {
      if (!options.onDamaged || options.signal?.aborted) throw error;
      options.onDamaged(id, error);
    }
  }
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
  options: ReadOptions,
): AsyncGenerator<ListedFile & { load: Promise<Uint8Array> }> {
  const left = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
  const ahead: Promise<Uint8Array>[] = [];
  const queue = files.values();
  try {
    for (const file of files) {
      while (ahead.length < fetchedAhead) {
        const next = queue.next();
        if (next.done) break;
        const load = unpacked.load('index', next.value.id, { signal });
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

const blobMark = Buffer.from('"offset"');

/** How many blobs the file lists, about. */
function countBlobs(json: Uint8Array): number {
  const text = Buffer.from(json.buffer, json.byteOffset, json.length);
  let count = 0;
  for (let at = text.indexOf(blobMark); at >= 0; at = text.indexOf(blobMark, at + blobMark.length)) count++;
  return count;
}

function enterFile(json: Uint8Array, index: RepositoryIndex): void {
  const packId = new Uint8Array(32);
  const words = new Int32Array(8);
  let pack = 0;
  let isMarked = false;
  let blobs: { type: BlobType; id: BlobId; offset: number; length: number; uncompressedLength: number }[] =
    [];
  scanIndex(json, {
    packId,
    blobId: new Uint8Array(words.buffer),
    beginPack: (marked) => {
      isMarked = marked;
      blobs = [];
      if (!marked) pack = index.addPack(Buffer.from(packId).toString('hex') as PackId);
    },
    blob: (type, offset, length, uncompressedLength) => {
      if (!isMarked) index.addBlob(type, words, pack, offset, length, uncompressedLength);
      else blobs.push({ type, id: hexOfWords(words) as BlobId, offset, length, uncompressedLength });
    },
    endPack: ({ timeMs }) => {
      if (isMarked)
        index.addMarkedPack({
          id: Buffer.from(packId).toString('hex') as PackId,
          markedAtMs: timeMs ?? 0,
          blobs,
        });
    },
  });
}
