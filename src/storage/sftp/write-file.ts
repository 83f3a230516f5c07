import { posix } from 'node:path';
import type { SFTPWrapper } from 'ssh2';
import { orAborted } from '../abort.ts';
import { piecesOf } from '../content.ts';
import type { Content } from '../storage.ts';
import { makeFolder } from './folders.ts';
import { type Done, type Session, windowBytes } from './session.ts';
import { hasStatus, status } from './sftp-error.ts';

/** Permissions of what is made, as restic sets them over SFTP. */
export interface Modes {
  folder: number;
  file: number;
}

/**
 * Writes a new file with many requests on the way at once, and syncs it where the server can. Folders are made as needed.
 * Requests about one file are served in their order, so sync and close need not wait for the answers before them.
 * @throws Error with a status
 */
export async function writeNewFile(
  session: Session,
  path: string,
  content: Content,
  { modes, signal }: { modes: Modes; signal: AbortSignal | undefined },
): Promise<void> {
  const handle = await orAborted(openNew(session, path, modes), signal);
  const onTheWay: Promise<void>[] = [];
  const send = (request: (sftp: SFTPWrapper, done: Done<void>) => void, ...ignored: number[]) => {
    const answer = session.ask(request).catch((error: unknown) => {
      if (!hasStatus(error, ...ignored)) throw error;
    });
    // Heard when it is its turn, or not at all.
    answer.catch(() => {});
    onTheWay.push(answer);
  };
  try {
    // For servers that do not heed the mode at opening; some forbid to change it.
    const { failure, permissionDenied, unsupported } = status;
    send((sftp, done) => sftp.fchmod(handle, modes.file, done), failure, permissionDenied, unsupported);
    let position = 0;
    for await (const chunk of chunksOf(piecesOf(content, signal), session.pieceBytesMax)) {
      const start = position;
      send((sftp, done) => sftp.write(handle, chunk, 0, chunk.length, start, done));
      position += chunk.length;
      if (onTheWay.length * session.pieceBytesMax > windowBytes) await orAborted(onTheWay.shift()!, signal);
    }
    send((sftp, done) => sftp.ext_openssh_fsync(handle, done), unsupported);
  } finally {
    // Closing may fail too: NFS reports a full disk there.
    send((sftp, done) => sftp.close(handle, done));
  }
  for (const answer of onTheWay) await orAborted(answer, signal);
}

async function openNew(session: Session, path: string, { folder, file }: Modes): Promise<Buffer> {
  const open = () => session.ask<Buffer>((sftp, done) => sftp.open(path, 'wx', { mode: file }, done));
  try {
    return await open();
  } catch (error) {
    if (!hasStatus(error, status.noSuchFile)) throw error;
    await makeFolder(session, posix.dirname(path), folder);
    return open();
  }
}

/**
 * The pieces, cut and joined to chunks of that size; the last may be smaller.
 * A chunk may be overwritten as soon as the next one is asked for: ssh2 copies what it sends.
 */
async function* chunksOf(pieces: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Buffer> {
  const gathered = Buffer.allocUnsafe(sizeBytes);
  let gatheredBytes = 0;
  for await (const piece of pieces) {
    for (let start = 0; start < piece.length; ) {
      const part = piece.subarray(start, start + sizeBytes - gatheredBytes);
      start += part.length;
      if (part.length === sizeBytes) {
        yield Buffer.from(part.buffer, part.byteOffset, part.length);
        continue;
      }
      gathered.set(part, gatheredBytes);
      gatheredBytes += part.length;
      if (gatheredBytes < sizeBytes) continue;
      yield gathered;
      gatheredBytes = 0;
    }
  }
  if (gatheredBytes > 0) yield gathered.subarray(0, gatheredBytes);
}
