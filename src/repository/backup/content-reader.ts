import { constants } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import type { Clock, FileAttributes } from '#base';
import type { ChunkStream } from './chunk-stream.ts';

/** Where the bytes of a file come from: a local file that the engine may read itself, or a stream opened on demand. */
export type FileContent = { localPath: Uint8Array } | StreamContent;

export interface StreamContent {
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** When the stream fails, there is to be no snapshot; otherwise only that file is lost. */
  isVital?: boolean;
  /**
   * Says whether the parent snapshot's file, of the same size, has this very content: then its attributes as they are
   * to be now, and nothing is read. Without it, times and inode tell, as for local files; without an inode it is read.
   */
  recognize?(before: FileAttributes): FileAttributes | undefined;
  /** What is known once the stream has ended: attributes in place of those announced, and what is odd about it. */
  describe?(): { attributes: FileAttributes; oddities: readonly Error[] };
}

/** The source failed, not the repository: the file is lost, the snapshot is not. */
export class ContentError extends Error {
  override readonly cause: Error;

  constructor(cause: unknown) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    super(error.message);
    this.cause = error;
  }
}

export interface ReadOptions {
  signal: AbortSignal;
  clock: Clock;
  /** The memory in which the stream's rooms lie. */
  memory: ArrayBufferLike;
  onBytes(count: number): void;
}

/** Without O_NONBLOCK a FIFO that has taken the file's place would block us for ever. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** How long a source may take to close after it was given up. */
const closeGraceMs = 2000;
const readBytesMax = 2 * 1024 * 1024;

/**
 * Reads a local file straight into the arena.
 * @returns whether the file is still as `attributes` say
 * @throws ContentError when the file cannot be read
 */
export async function readLocalFile(
  stream: ChunkStream,
  localPath: Uint8Array,
  attributes: FileAttributes,
  options: ReadOptions,
): Promise<boolean> {
  const file = await ofSource(openFile(Buffer.from(localPath), openFlags));
  const buffer = Buffer.from(options.memory);
  try {
    for (;;) {
      options.signal.throwIfAborted();
      const room = await stream.room();
      const wanted = Math.min(room.length, readBytesMax);
      const { bytesRead } = await ofSource(file.read(buffer, room.offset, wanted, null));
      if (bytesRead === 0) break;
      stream.filled(bytesRead);
      options.onBytes(bytesRead);
    }
    const after = await ofSource(file.stat({ bigint: true }));
    if (!after.isFile()) throw new ContentError(new Error('is no regular file any more'));
    return after.mtimeNs === attributes.mtimeNs && stream.sizeBytes === attributes.sizeBytes;
  } finally {
    await file.close();
  }
}

/**
 * Reads a source's stream to its end. When the signal is aborted it rejects soon, even if the source hangs.
 * @throws ContentError when the stream fails
 */
export async function readPieces(
  stream: ChunkStream,
  pieces: AsyncIterable<Uint8Array>,
  options: ReadOptions,
): Promise<void> {
  const { signal } = options;
  const iterator = pieces[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextPiece(iterator, signal);
      if (next.done) return;
      await stream.write(next.value);
      options.onBytes(next.value.length);
    }
  } catch (error) {
    await closeSource(iterator, options.clock);
    throw error;
  }
}

/** What goes wrong here is a consequence of what went wrong before. One that hangs is left behind. */
async function closeSource(iterator: AsyncIterator<Uint8Array>, clock: Clock): Promise<void> {
  const closed = new AbortController();
  const close = Promise.try(() => iterator.return?.())
    .catch(() => {})
    .finally(() => closed.abort());
  const wait = clock.sleep(closeGraceMs, { signal: closed.signal, background: true }).catch(() => {});
  await Promise.race([close, wait]);
}

function nextPiece(
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal,
): Promise<IteratorResult<Uint8Array>> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    Promise.try(() => iterator.next())
      .then(resolve, (error: unknown) => reject(signal.aborted ? signal.reason : new ContentError(error)))
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

async function ofSource<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new ContentError(error);
  }
}
