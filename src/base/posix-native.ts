import * as fs from 'node:fs';
import type { ExtendedAttribute, FileAttributes } from './file-attributes.ts';
import type { Libc } from './native.ts';
import { type FileRef, type Place, type Posix, systemError } from './posix.ts';
import { systemAccounts } from './posix-accounts.ts';
import { CText, fixedMemory } from './posix-memory.ts';
import { O_CLOEXEC, O_PATH } from './posix-portable.ts';
import { statxReader } from './posix-statx.ts';
import { NativeXattrs } from './posix-xattrs.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, S_IFBLK, S_IFCHR, S_IFIFO } = fs.constants;
const specialBits = { dev: S_IFBLK, chardev: S_IFCHR, fifo: S_IFIFO };
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const POSIX_FADV_DONTNEED = 4;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const [ENOENT, ENXIO, EINVAL, ENOSYS, EOPNOTSUPP] = [2, 6, 22, 38, 95];
const linkTargetMax = 4096;
const nanosecondsPerSecond = 1_000_000_000n;
const empty = new Uint8Array(0);

/** By libc where node:fs cannot, or only slower; the rest as `portable` does it. */
export class NativePosix implements Posix {
  readonly capabilities = {
    confined: true,
    exactTimes: true,
    extendedAttributes: true,
    specialFiles: true,
    holes: true,
    accountNames: true,
  };
  readonly close: Posix['close'];
  readonly listNames: Posix['listNames'];
  readonly setMode: Posix['setMode'];
  readonly #portable: Posix;
  readonly #libc: Libc;
  readonly #name: CText;
  readonly #otherName: CText;
  readonly #statx;
  readonly #xattrs: NativeXattrs;
  readonly #memory;
  readonly #times: BigInt64Array;

  constructor(libc: Libc, portable: Posix) {
    this.#libc = libc;
    this.#portable = portable;
    this.close = portable.close;
    this.listNames = portable.listNames;
    this.setMode = portable.setMode;
    this.#name = new CText(libc);
    this.#otherName = new CText(libc);
    this.#statx = statxReader(libc, systemAccounts(libc));
    this.#xattrs = new NativeXattrs(libc);
    this.#memory = fixedMemory(libc, linkTargetMax);
    this.#times = new BigInt64Array(this.#memory.bytes.buffer, 0, 4);
  }

  openFolder(place: Place | string, how: { follow?: boolean; searchOnly?: boolean } = {}): number {
    if (typeof place === 'string') return this.#portable.openFolder(place, how);
    const flags = (how.searchOnly ? O_PATH : O_RDONLY) | O_DIRECTORY;
    return this.#open(place, how.follow ? flags : flags | O_NOFOLLOW, 0);
  }

  openFile(place: Place, flags: number, mode = 0o600): number {
    return this.#open(place, flags | O_NOFOLLOW, mode);
  }

  #open({ folder, name }: Place, flags: number, mode: number): number {
    const fd = this.#libc.openat(folder, this.#name.putName(name), flags | O_CLOEXEC, mode);
    if (fd < 0) this.#fail('openat', name);
    return fd;
  }

  stat(file: FileRef): FileAttributes | undefined {
    const isOpen = typeof file === 'number';
    const name = isOpen ? empty : file.name;
    if (!isOpen && name.length === 0) return undefined;
    if (this.#statx.call(isOpen ? file : file.folder, this.#name.putName(name), isOpen))
      return this.#statx.attributes();
    const errno = this.#libc.errno();
    if (errno === ENOENT) return undefined;
    throw systemError(errno, 'statx', name);
  }

  readLink({ folder, name }: Place): Uint8Array {
    const { bytes, address } = this.#memory;
    const length = this.#libc.readlinkat(folder, this.#name.putName(name), address, BigInt(linkTargetMax));
    if (length < 0n) this.#fail('readlinkat', name);
    return Uint8Array.prototype.slice.call(bytes, 0, Number(length));
  }

  makeFolder({ folder, name }: Place, mode: number): void {
    if (this.#libc.mkdirat(folder, this.#name.putName(name), mode)) this.#fail('mkdirat', name);
  }

  makeSymlink({ folder, name }: Place, target: Uint8Array): void {
    const targetAddress = this.#otherName.put(target);
    if (this.#libc.symlinkat(targetAddress, folder, this.#name.putName(name))) this.#fail('symlinkat', name);
  }

  makeSpecial({ folder, name }: Place, type: 'dev' | 'chardev' | 'fifo', mode: number, device: bigint): void {
    const bits = mode | specialBits[type];
    if (this.#libc.mknodat(folder, this.#name.putName(name), bits, device)) this.#fail('mknodat', name);
  }

  makeLink(existing: Place, { folder, name }: Place): void {
    const from = this.#otherName.putName(existing.name);
    if (this.#libc.linkat(existing.folder, from, folder, this.#name.putName(name), 0))
      this.#fail('linkat', name);
  }

  remove({ folder, name }: Place, what?: { folder: boolean }): void {
    const flags = what?.folder ? AT_REMOVEDIR : 0;
    if (this.#libc.unlinkat(folder, this.#name.putName(name), flags) === 0) return;
    const errno = this.#libc.errno();
    if (errno !== ENOENT) throw systemError(errno, 'unlinkat', name);
  }

  rename(from: Place, to: Place): void {
    const source = this.#otherName.putName(from.name);
    if (this.#libc.renameat(from.folder, source, to.folder, this.#name.putName(to.name)))
      this.#fail('renameat', to.name);
  }

  setOwner(file: FileRef, uid: number, gid: number): void {
    const isOpen = typeof file === 'number';
    const name = isOpen ? empty : file.name;
    const folder = isOpen ? file : file.folder;
    const flags = isOpen ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
    if (this.#libc.fchownat(folder, this.#name.putName(name), uid, gid, flags)) this.#fail('fchownat', name);
  }

  setTimes(file: FileRef, atimeNs: bigint, mtimeNs: bigint): void {
    [this.#times[0], this.#times[1]] = splitTime(atimeNs);
    [this.#times[2], this.#times[3]] = splitTime(mtimeNs);
    const times = this.#memory.address;
    const isOpen = typeof file === 'number';
    const failed = isOpen
      ? this.#libc.futimens(file, times)
      : this.#libc.utimensat(file.folder, this.#name.putName(file.name), times, AT_SYMLINK_NOFOLLOW);
    if (failed) this.#fail('utimensat', isOpen ? empty : file.name);
  }

  readXattrs(file: FileRef): ExtendedAttribute[] {
    return this.#xattrs.read(file);
  }

  setXattr(file: FileRef, attribute: ExtendedAttribute): void {
    this.#xattrs.set(file, attribute);
  }

  removeXattr(file: FileRef, name: string): void {
    this.#xattrs.remove(file, name);
  }

  allocate(fd: number, sizeBytes: number): void {
    if (this.#libc.fallocate(fd, FALLOC_FL_KEEP_SIZE, 0n, BigInt(sizeBytes)) === 0) return;
    const errno = this.#libc.errno();
    if (errno !== EOPNOTSUPP && errno !== ENOSYS) throw systemError(errno, 'fallocate');
  }

  punchHole(fd: number, offset: number, length: number): boolean {
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (this.#libc.fallocate(fd, mode, BigInt(offset), BigInt(length)) === 0) return true;
    const errno = this.#libc.errno();
    if (errno === EOPNOTSUPP || errno === ENOSYS) return false;
    throw systemError(errno, 'fallocate');
  }

  findData(fd: number, offset: number): { start: number; end: number } | undefined {
    const start = this.#libc.lseek(fd, BigInt(offset), SEEK_DATA);
    if (start < 0n) {
      const errno = this.#libc.errno();
      if (errno === ENXIO) return undefined;
      if (errno === EINVAL) return this.#portable.findData(fd, offset);
      throw systemError(errno, 'lseek');
    }
    const end = this.#libc.lseek(fd, start, SEEK_HOLE);
    if (end < 0n) this.#fail('lseek');
    return { start: Number(start), end: Number(end) };
  }

  forgetCached(fd: number): void {
    // Whether it was heeded nobody can tell.
    this.#libc.posix_fadvise(fd, 0n, 0n, POSIX_FADV_DONTNEED);
  }

  #fail(syscall: string, name?: Uint8Array): never {
    throw systemError(this.#libc.errno(), syscall, name);
  }
}

/** struct timespec: whole seconds, rounded down, and nanoseconds. */
function splitTime(timeNs: bigint): [bigint, bigint] {
  const nanoseconds = ((timeNs % nanosecondsPerSecond) + nanosecondsPerSecond) % nanosecondsPerSecond;
  return [(timeNs - nanoseconds) / nanosecondsPerSecond, nanoseconds];
}
