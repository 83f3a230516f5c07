import type { Stats } from 'ssh2';
import { orAborted } from '../abort.ts';
import { assertRange, rangeWithin, tooShort } from '../range.ts';
import type { ByteRange } from '../storage.ts';
import { type Session, windowBytes } from './session.ts';
import { hasStatus, status } from './sftp-error.ts';

/** How many requests are on the way before the first piece is taken. */
const firstCount = 4;

/**
 * Reads with many requests on the way at once.
 * @throws Error with the status 'no such file' for a folder too; StorageError 'storage.range'
 */
export async function* readFile(
  session: Session,
  path: string,
  { name, range, signal }: { name: string; range?: ByteRange | undefined; signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  if (range) assertRange(range);
  const handle = await openToRead(session, path, signal);
  try {
    // A small range is asked for straight away.
    const wanted = range?.length ? range : rangeWithin(name, await sizeOf(session, handle, signal), range);
    const end = wanted.offset + wanted.length;
    const onTheWay: Promise<Uint8Array>[] = [];
    // One more for each that is taken: it doubles with each round trip, and who reads little is sent little.
    let countMax = firstCount;
    for (let position = wanted.offset; position < end || onTheWay.length > 0; countMax++) {
      while (position < end && onTheWay.length < Math.min(countMax, windowBytes / session.pieceBytesMax)) {
        const length = Math.min(session.pieceBytesMax, end - position);
        onTheWay.push(unwatched(readPiece(session, handle, { offset: position, length })));
        position += length;
      }
      const piece = await orAborted(onTheWay.shift()!, signal);
      if (piece.length === 0) throw tooShort(name, wanted);
      yield piece;
    }
  } catch (error) {
    // OpenSSH opens a folder, and refuses to read it for no reason.
    if (hasStatus(error, status.failure) && (await isFolder(session, handle))) throw noFile(error);
    throw error;
  } finally {
    closeQuietly(session, handle);
  }
}

async function openToRead(session: Session, path: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const opening = session.ask<Buffer>((sftp, done) => sftp.open(path, 'r', done));
  try {
    return await orAborted(opening, signal);
  } catch (error) {
    void opening.then((handle) => closeQuietly(session, handle)).catch(() => {});
    throw error;
  }
}

/** The whole piece, or nothing when the file ends before it does. */
async function readPiece(
  session: Session,
  handle: Buffer,
  { offset, length }: ByteRange,
): Promise<Uint8Array> {
  // Not from Node's pool: the receiver may hand the memory to another thread.
  const piece = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const count = await session.ask<number>((sftp, answer) =>
      sftp.read(handle, piece, done, length - done, offset + done, answer),
    );
    if (!count) return new Uint8Array();
    done += count;
  }
  return piece;
}

async function sizeOf(session: Session, handle: Buffer, signal: AbortSignal | undefined): Promise<number> {
  const stats = await orAborted(statOf(session, handle), signal);
  if (stats.isDirectory()) throw noFile();
  return stats.size;
}

async function isFolder(session: Session, handle: Buffer): Promise<boolean> {
  return (await statOf(session, handle)).isDirectory();
}

function statOf(session: Session, handle: Buffer): Promise<Stats> {
  return session.ask<Stats>((sftp, done) => sftp.fstat(handle, done));
}

function noFile(cause?: unknown): Error {
  return Object.assign(new Error('is a folder', { cause }), { code: status.noSuchFile });
}

/** Its failure is heard when it is awaited, or not at all. */
function unwatched<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/** Nothing hangs on it: the server closes what is left open when the connection ends. */
function closeQuietly(session: Session, handle: Buffer): void {
  session.ask((sftp, done) => sftp.close(handle, done)).catch(() => {});
}
