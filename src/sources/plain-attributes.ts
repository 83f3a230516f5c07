import type { FileAttributes } from '#base';

/** Attributes of a file or folder that lies on no disk of ours: this process's owner, one time, the usual modes. */
export function plainAttributes(type: 'file' | 'dir', timeNs: bigint): FileAttributes {
  return {
    type,
    mode: type === 'dir' ? 0o755 : 0o644,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    user: '',
    group: '',
    mtimeNs: timeNs,
    atimeNs: timeNs,
    ctimeNs: timeNs,
    inode: 0n,
    deviceId: 0n,
    links: 1,
    sizeBytes: 0,
  };
}

/** A date as the attributes of files have it. */
export function timeNsOf(date: Date): bigint {
  return BigInt(date.getTime()) * 1_000_000n;
}
