import type { ExtendedAttribute } from './file-attributes.ts';
import type { Libc } from './native.ts';
import { type FileRef, type Place, systemError } from './posix.ts';
import { CText, fixedMemory } from './posix-memory.ts';

/** Linux XATTR_SIZE_MAX and XATTR_LIST_MAX. */
const sizeMax = 64 * 1024;
const size = BigInt(sizeMax);
const ENODATA = 61;
const EOPNOTSUPP = 95;
/** The number of listxattrat, on every processor; Linux 6.13 and newer (include/uapi/asm-generic/unistd.h). */
const listxattrat = 465n;
const AT_SYMLINK_NOFOLLOW = 0x100n;
/** What a kernel without it answers, or a container that forbids what it does not know. */
const unknownCall: readonly number[] = [1, 38];

/** Extended attributes by libc; POSIX ACLs are `system.posix_acl_access` and `system.posix_acl_default`. */
export class NativeXattrs {
  readonly #libc: Libc;
  readonly #path: CText;
  readonly #name: CText;
  readonly #memory;
  #canListAt = true;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#path = new CText(libc);
    this.#name = new CText(libc);
    this.#memory = fixedMemory(libc, sizeMax);
  }

  read(file: FileRef): ExtendedAttribute[] {
    const attributes: ExtendedAttribute[] = [];
    for (const name of this.#names(file)) {
      const value = this.#value(file, name);
      if (value) attributes.push({ name, value });
    }
    return attributes;
  }

  set(file: FileRef, { name, value }: ExtendedAttribute): void {
    const { bytes, address } = this.#memory;
    if (value.length > sizeMax) throw systemError(7, 'setxattr', name);
    bytes.set(value);
    const [key, length] = [this.#name.put(Buffer.from(name)), BigInt(value.length)];
    const failed =
      typeof file === 'number'
        ? this.#libc.fsetxattr(file, key, address, length, 0)
        : this.#libc.lsetxattr(this.#path.putPath(file), key, address, length, 0);
    if (failed) throw systemError(this.#libc.errno(), 'setxattr', name);
  }

  remove(file: FileRef, name: string): void {
    const key = this.#name.put(Buffer.from(name));
    const failed =
      typeof file === 'number'
        ? this.#libc.fremovexattr(file, key)
        : this.#libc.lremovexattr(this.#path.putPath(file), key);
    if (!failed) return;
    const errno = this.#libc.errno();
    if (errno !== ENODATA) throw systemError(errno, 'removexattr', name);
  }

  #names(file: FileRef): string[] {
    const { bytes, address } = this.#memory;
    const length = typeof file === 'number' ? this.#libc.flistxattr(file, address, size) : this.#listAt(file);
    if (length < 0n) {
      const errno = this.#libc.errno();
      if (errno === EOPNOTSUPP) return [];
      throw systemError(errno, 'listxattr', typeof file === 'number' ? undefined : file.name);
    }
    return length === 0n ? [] : bytes.toString('utf8', 0, Number(length) - 1).split('\0');
  }

  /** A path through /proc takes the kernel twice as long as a name in an open folder. */
  #listAt(place: Place): bigint {
    const { address } = this.#memory;
    if (this.#canListAt) {
      const name = this.#path.putName(place.name);
      const folder = BigInt(place.folder);
      const length = this.#libc.syscall(listxattrat, folder, name, AT_SYMLINK_NOFOLLOW, address, size);
      if (length >= 0n || !unknownCall.includes(this.#libc.errno())) return length;
      this.#canListAt = false;
    }
    return this.#libc.llistxattr(this.#path.putPath(place), address, size);
  }

  /** undefined when it was removed since it was listed. */
  #value(file: FileRef, name: string): Uint8Array | undefined {
    const { bytes, address } = this.#memory;
    const key = this.#name.put(Buffer.from(name));
    const length =
      typeof file === 'number'
        ? this.#libc.fgetxattr(file, key, address, size)
        : this.#libc.lgetxattr(this.#path.putPath(file), key, address, size);
    if (length >= 0n) return Uint8Array.prototype.slice.call(bytes, 0, Number(length));
    const errno = this.#libc.errno();
    if (errno === ENODATA) return undefined;
    throw systemError(errno, 'getxattr', name);
  }
}
