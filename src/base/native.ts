import type * as Ffi from 'node:ffi';

const address = 'pointer';
const signatures = {
  __errno_location: { arguments: [], return: address },
  openat: { arguments: ['int32', address, 'int32', 'uint32'], return: 'int32' },
  statx: { arguments: ['int32', address, 'int32', 'uint32', address], return: 'int32' },
  readlinkat: { arguments: ['int32', address, address, 'uint64'], return: 'int64' },
  mkdirat: { arguments: ['int32', address, 'uint32'], return: 'int32' },
  mknodat: { arguments: ['int32', address, 'uint32', 'uint64'], return: 'int32' },
  symlinkat: { arguments: [address, 'int32', address], return: 'int32' },
  linkat: { arguments: ['int32', address, 'int32', address, 'int32'], return: 'int32' },
  unlinkat: { arguments: ['int32', address, 'int32'], return: 'int32' },
  renameat: { arguments: ['int32', address, 'int32', address], return: 'int32' },
  utimensat: { arguments: ['int32', address, address, 'int32'], return: 'int32' },
  futimens: { arguments: ['int32', address], return: 'int32' },
  fchownat: { arguments: ['int32', address, 'uint32', 'uint32', 'int32'], return: 'int32' },
  flistxattr: { arguments: ['int32', address, 'uint64'], return: 'int64' },
  fgetxattr: { arguments: ['int32', address, address, 'uint64'], return: 'int64' },
  fsetxattr: { arguments: ['int32', address, address, 'uint64', 'int32'], return: 'int32' },
  fremovexattr: { arguments: ['int32', address], return: 'int32' },
  llistxattr: { arguments: [address, address, 'uint64'], return: 'int64' },
  lgetxattr: { arguments: [address, address, address, 'uint64'], return: 'int64' },
  lsetxattr: { arguments: [address, address, address, 'uint64', 'int32'], return: 'int32' },
  lremovexattr: { arguments: [address, address], return: 'int32' },
  fallocate: { arguments: ['int32', 'int32', 'int64', 'int64'], return: 'int32' },
  posix_fadvise: { arguments: ['int32', 'int64', 'int64', 'int32'], return: 'int32' },
  lseek: { arguments: ['int32', 'int64', 'int32'], return: 'int64' },
  syscall: { arguments: ['int64', 'int64', address, 'int64', address, 'int64'], return: 'int64' },
  getpwuid_r: { arguments: ['uint32', address, address, 'uint64', address], return: 'int32' },
  getgrgid_r: { arguments: ['uint32', address, address, 'uint64', address], return: 'int32' },
} as const satisfies Ffi.FunctionDefinitions;

type Address = bigint;
type Size = bigint;

/** The functions of libc that node:fs does not offer. Failure is −1 with `errno`, as in C. */
interface LibcFunctions {
  openat(folder: number, name: Address, flags: number, mode: number): number;
  statx(folder: number, name: Address, flags: number, mask: number, out: Address): number;
  readlinkat(folder: number, name: Address, out: Address, size: Size): bigint;
  mkdirat(folder: number, name: Address, mode: number): number;
  mknodat(folder: number, name: Address, mode: number, device: bigint): number;
  symlinkat(target: Address, folder: number, name: Address): number;
  linkat(folder: number, name: Address, toFolder: number, toName: Address, flags: number): number;
  unlinkat(folder: number, name: Address, flags: number): number;
  renameat(folder: number, name: Address, toFolder: number, toName: Address): number;
  utimensat(folder: number, name: Address, times: Address, flags: number): number;
  futimens(fd: number, times: Address): number;
  fchownat(folder: number, name: Address, uid: number, gid: number, flags: number): number;
  flistxattr(fd: number, out: Address, size: Size): bigint;
  fgetxattr(fd: number, name: Address, out: Address, size: Size): bigint;
  fsetxattr(fd: number, name: Address, value: Address, size: Size, flags: number): number;
  fremovexattr(fd: number, name: Address): number;
  llistxattr(path: Address, out: Address, size: Size): bigint;
  lgetxattr(path: Address, name: Address, out: Address, size: Size): bigint;
  lsetxattr(path: Address, name: Address, value: Address, size: Size, flags: number): number;
  lremovexattr(path: Address, name: Address): number;
  fallocate(fd: number, mode: number, offset: bigint, length: bigint): number;
  posix_fadvise(fd: number, offset: bigint, length: bigint, advice: number): number;
  lseek(fd: number, offset: bigint, whence: number): bigint;
  /** Variadic in C; declared for the one call that we make by number. */
  syscall(number: bigint, folder: bigint, name: Address, flags: bigint, out: Address, size: Size): bigint;
  getpwuid_r(uid: number, out: Address, text: Address, size: Size, found: Address): number;
  getgrgid_r(gid: number, out: Address, text: Address, size: Size, found: Address): number;
}

export interface Libc extends LibcFunctions {
  /** The calling thread's errno; meaningful only right after a call that failed. */
  errno(): number;
  /** The address of a view's first byte. The caller keeps the view alive and does not resize it. */
  addressOf(view: Uint8Array): bigint;
  /** The NUL-terminated text at an address. */
  textAt(pointer: bigint): string;
}

let loaded: Libc | null | undefined;

/** libc by node:ffi, or undefined where there is none: not Linux, Node before 26, an unknown libc, no /proc. */
export function libc(): Libc | undefined {
  if (loaded === undefined) loaded = load();
  return loaded ?? undefined;
}

function load(): Libc | null {
  if (process.platform !== 'linux' || process.env.HOLDFAST_PORTABLE_POSIX === '1') return null;
  const ffi = process.getBuiltinModule('node:ffi') as typeof Ffi | undefined;
  if (!ffi) return null;
  try {
    const { functions } = ffi.dlopen(null, signatures);
    // errno is a variable of the thread; this module is loaded once in each thread. Reading it as plain
    // memory leaves no call between the failure and the reading that could change it.
    const errno = new Int32Array(ffi.toArrayBuffer(functions.__errno_location(), 4, false));
    return {
      ...(functions as unknown as LibcFunctions),
      errno: () => errno[0]!,
      addressOf: (view) => ffi.getRawPointer(view),
      textAt: (pointer) => ffi.toString(pointer) ?? '',
    };
  } catch (error) {
    // A missing symbol is the expected way to learn that this libc does not have a function.
    if ((error as { code?: string }).code?.startsWith('ERR_FFI')) return null;
    throw error;
  }
}
