import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import type { ExtendedAttribute, FileAttributes } from './file-attributes.ts';

/** A name in an open folder. What lies there is meant itself: a symlink is never followed. */
export interface Place {
  /** Descriptor of the folder. */
  folder: number;
  /** One name: no `/`, no NUL. */
  name: Uint8Array;
}

/** An open file by its descriptor, or a place. */
export type FileRef = number | Place;

/** What this system and this Node can do. What is false is said here, and its methods fail with 'ENOTSUP' or do nothing, as each says. */
export interface PosixCapabilities {
  /** Names are looked up in open folders; otherwise by path, and whoever swaps an upper folder can mislead us. */
  confined: boolean;
  /** Times are set to the nanosecond; otherwise to the microsecond. */
  exactTimes: boolean;
  /** Extended attributes are read and set; POSIX ACLs are among them. */
  extendedAttributes: boolean;
  /** Device nodes and FIFOs can be made. */
  specialFiles: boolean;
  /** `allocate`, `punchHole` and `findData` do something. */
  holes: boolean;
  /** Owners are looked up as the system does (NSS: LDAP, SSSD …); otherwise in /etc/passwd and /etc/group only. */
  accountNames: boolean;
}

/**
 * The calls of a POSIX file system that a backup needs, relative to open folders.
 * All are synchronous and throw Node's kind of system error (`code`, `errno`, `syscall`, `path`).
 */
export interface Posix {
  readonly capabilities: PosixCapabilities;

  /**
   * Opens a folder. `searchOnly`: only to reach what is in it (execute permission is enough), not to list it.
   * @throws 'ENOTDIR' or 'ELOOP' for a symlink, unless `follow`
   */
  openFolder(place: Place | string, how?: { follow?: boolean; searchOnly?: boolean }): number;
  /** Opens or creates a file; `flags` of `fs.constants`. Never follows a symlink at the place. */
  openFile(place: Place, flags: number, mode?: number): number;
  close(fd: number): void;
  /** All names in a folder, bytes as latin1 text (one character is one byte), in no order, without `.` and `..`. */
  listNames(folder: number): string[];

  /** Everything but link target and extended attributes, or undefined when nothing is there. */
  stat(file: FileRef): FileAttributes | undefined;
  readLink(place: Place): Uint8Array;
  /** Empty where the file system has none. */
  readXattrs(file: FileRef): ExtendedAttribute[];

  makeFolder(place: Place, mode: number): void;
  makeSymlink(place: Place, target: Uint8Array): void;
  /** @param device `st_rdev`; 0 for a FIFO */
  makeSpecial(place: Place, type: 'dev' | 'chardev' | 'fifo', mode: number, device: bigint): void;
  /** Gives `existing` a second name. */
  makeLink(existing: Place, place: Place): void;
  /** Removes a file, or with `folder` an empty folder; what is not there is removed already. */
  remove(place: Place, what?: { folder: boolean }): void;
  /** Replaces what is at `to`. */
  rename(from: Place, to: Place): void;

  setOwner(file: FileRef, uid: number, gid: number): void;
  /** Does nothing to a symlink, whose mode cannot be set. */
  setMode(file: FileRef, mode: number): void;
  setTimes(file: FileRef, atimeNs: bigint, mtimeNs: bigint): void;
  setXattr(file: FileRef, attribute: ExtendedAttribute): void;
  removeXattr(file: FileRef, name: string): void;

  /** Reserves room for the first `sizeBytes` without changing the size. Nothing happens where the file system cannot. */
  allocate(fd: number, sizeBytes: number): void;
  /** Turns a range into a hole of zeros; false where it cannot. */
  punchHole(fd: number, offset: number, length: number): boolean;
  /** The next range with data at or after `offset`; undefined when only a hole follows. Where holes are unknown all is data. */
  findData(fd: number, offset: number): { start: number; end: number } | undefined;
  /** Lets go of what memory holds of a file that is on the disk, so that reading it tells what the disk has. A hint. */
  forgetCached(fd: number): void;
}

/** Node's kind of system error for an errno. */
export function systemError(errno: number, syscall: string, name?: Uint8Array | string): Error {
  const code = getSystemErrorName(-errno);
  const path = name === undefined ? undefined : Buffer.from(name).toString();
  const where = path === undefined ? '' : ` '${path}'`;
  const error = new Error(`${code}: ${getSystemErrorMessage(-errno)}, ${syscall}${where}`);
  return Object.assign(error, { errno: -errno, code, syscall, ...(path === undefined ? {} : { path }) });
}
