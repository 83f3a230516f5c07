import type { FileAttributes } from './file-attributes.ts';
import type { Libc } from './native.ts';
import type { Accounts } from './posix-accounts.ts';
import { fixedMemory } from './posix-memory.ts';
import { fileTypeOf } from './posix-portable.ts';

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const nanosecondsPerSecond = 1_000_000_000n;

/**
 * Reads attributes by statx, whose struct is the same on every Linux (include/uapi/linux/stat.h), unlike struct stat.
 * Offsets: nlink 16, uid 20, gid 24, mode 28 (16 bits), ino 32, size 40, atime 64, ctime 96, mtime 112 (each
 * seconds 64 bits, nanoseconds 32 bits), rdev 128, dev 136 (each major, minor).
 */
export function statxReader(libc: Libc, accounts: Accounts) {
  const { bytes, address } = fixedMemory(libc, 256);
  const words32 = new Uint32Array(bytes.buffer);
  const words64 = new BigInt64Array(bytes.buffer);
  const timeAt = (offset: number): bigint =>
    words64[offset / 8]! * nanosecondsPerSecond + BigInt(words32[offset / 4 + 2]!);
  const deviceAt = (offset: number): bigint => deviceId(words32[offset / 4]!, words32[offset / 4 + 1]!);

  /** @returns false when the call failed; otherwise `attributes()` tells of the file */
  const call = (folder: number, name: bigint, isEmpty: boolean): boolean => {
    const flags = isEmpty ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
    return libc.statx(folder, name, flags, STATX_BASIC_STATS, address) === 0;
  };

  const attributes = (): FileAttributes => {
    const mode = words32[7]! & 0xffff;
    const type = fileTypeOf(mode);
    const uid = words32[5]!;
    const gid = words32[6]!;
    const result: FileAttributes = {
      type,
      mode: mode & 0o7777,
      uid,
      gid,
      user: accounts.userName(uid),
      group: accounts.groupName(gid),
      mtimeNs: timeAt(112),
      atimeNs: timeAt(64),
      ctimeNs: timeAt(96),
      inode: BigInt.asUintN(64, words64[4]!),
      deviceId: deviceAt(136),
      links: words32[4]!,
      sizeBytes: type === 'file' ? words32[10]! + words32[11]! * 2 ** 32 : 0,
    };
    if (type === 'dev' || type === 'chardev') result.device = deviceAt(128);
    return result;
  };

  return { call, attributes };
}

let lastMajor = -1;
let lastMinor = -1;
let lastDevice = 0n;

/** `dev_t` as the kernel and glibc encode it (new_encode_dev). Files in a row mostly lie on one device. */
function deviceId(major: number, minor: number): bigint {
  if (major !== lastMajor || minor !== lastMinor) {
    lastMajor = major;
    lastMinor = minor;
    const [high, low] = [BigInt(major), BigInt(minor)];
    lastDevice =
      ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
  }
  return lastDevice;
}
