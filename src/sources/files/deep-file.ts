import { constants, read } from 'node:fs';
import { promisify } from 'node:util';
import type { Posix } from '#base';
import type { EntryContent } from '../source.ts';
import { FolderHandles } from './folder-handles.ts';
import { type ByteText, fromByteText, lastName, upperPath } from './names.ts';

const readAt = promisify(read);
const pieceSize = 1024 * 1024;

/**
 * The content of a file whose path is too long for the system: opened folder by folder when it is asked for.
 * @param linksFollowed the upper folders, in which links are followed
 */
export function deepFileContent(
  posix: Posix,
  path: ByteText,
  linksFollowed: ReadonlySet<ByteText>,
): EntryContent {
  return { open: (signal) => readDeepFile(posix, path, linksFollowed, signal) };
}

async function* readDeepFile(
  posix: Posix,
  path: ByteText,
  linksFollowed: ReadonlySet<ByteText>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const fd = openDeepFile(posix, path, linksFollowed);
  try {
    for (;;) {
      signal.throwIfAborted();
      const piece = Buffer.allocUnsafe(pieceSize);
      const { bytesRead } = await readAt(fd, piece, 0, pieceSize, null);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    posix.close(fd);
  }
}

function openDeepFile(posix: Posix, path: ByteText, linksFollowed: ReadonlySet<ByteText>): number {
  const how = (folder: ByteText) => ({ follow: linksFollowed.has(folder), searchOnly: true });
  const folders = new FolderHandles(posix, posix.openFolder('/'), how);
  try {
    const place = { folder: folders.open(upperPath(path)), name: fromByteText(lastName(path)) };
    return posix.openFile(place, constants.O_RDONLY | constants.O_NONBLOCK);
  } finally {
    folders.close();
  }
}
