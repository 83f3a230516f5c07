import { constants, readSync } from 'node:fs';
import { type FileAttributes, type Place, type Posix, systemCodeOf } from '#base';

const { O_RDONLY, O_NONBLOCK } = constants;
/** Reading what was restored is not to change its time of last access. */
const O_NOATIME = constants.O_NOATIME ?? 0;
const ownerReads = 0o400;

/** A file that was restored, opened to be read back. */
export class RestoredFile implements Disposable {
  readonly sizeBytes: number;
  /** Names that are one file have one inode. */
  readonly inode: bigint;
  readonly links: number;
  readonly #posix: Posix;
  readonly #fd: number;

  /** @throws Error when no regular file is there, or it cannot be opened */
  constructor(posix: Posix, place: Place) {
    this.#posix = posix;
    this.#fd = openToRead(posix, place);
    const { type, sizeBytes, inode, links } = posix.stat(this.#fd)!;
    if (type !== 'file') {
      posix.close(this.#fd);
      throw new Error(`a ${type} is in its place`);
    }
    this.sizeBytes = sizeBytes;
    this.inode = inode;
    this.links = links;
    // What was flushed may be read from the disk; what memory says of it proves little.
    posix.forgetCached(this.#fd);
  }

  /** Bytes at `offset`, fewer than asked for where the file ends. */
  read(offset: number, length: number): Uint8Array {
    return readFully(this.#fd, offset, length);
  }

  [Symbol.dispose](): void {
    this.#posix.close(this.#fd);
  }
}

/** Bytes at `offset` of an open file, fewer than asked for where it ends. */
export function readFully(fd: number, offset: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(fd, bytes, filled, length - filled, offset + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

function openToRead(posix: Posix, place: Place): number {
  const found = posix.stat(place);
  if (!found) throw new Error('it is not there');
  if (process.geteuid?.() !== 0 && !(found.mode & ownerReads)) return openUnreadable(posix, place, found);
  try {
    return posix.openFile(place, O_RDONLY | O_NONBLOCK | O_NOATIME);
  } catch (error) {
    // Only the owner may ask for it.
    if (systemCodeOf(error) !== 'EPERM') throw error;
    return posix.openFile(place, O_RDONLY | O_NONBLOCK);
  }
}

/** Our own file with a mode that keeps even us from reading it. */
function openUnreadable(posix: Posix, place: Place, { mode }: FileAttributes): number {
  posix.setMode(place, mode | ownerReads);
  try {
    return posix.openFile(place, O_RDONLY | O_NONBLOCK);
  } finally {
    posix.setMode(place, mode);
  }
}
