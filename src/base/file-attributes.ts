export type FileType = 'file' | 'dir' | 'symlink' | 'dev' | 'chardev' | 'fifo' | 'socket';

export interface ExtendedAttribute {
  name: string;
  value: Uint8Array;
}

/** What lstat, readlink and listxattr say of one file. Names and link targets are bytes, not text. */
export interface FileAttributes {
  type: FileType;
  /** Permission, setuid, setgid and sticky bits: `st_mode & 0o7777`. */
  mode: number;
  uid: number;
  gid: number;
  /** Names of owner and group on the machine that was read; empty when unknown. */
  user: string;
  group: string;
  /** Nanoseconds since 1970. */
  mtimeNs: bigint;
  atimeNs: bigint;
  ctimeNs: bigint;
  inode: bigint;
  /** `st_dev`: the device that holds the file. */
  deviceId: bigint;
  links: number;
  /** Size of a regular file in bytes, 0 for everything else. */
  sizeBytes: number;
  /** Target of a symlink. */
  linkTarget?: Uint8Array;
  /** `st_rdev` of a device node. */
  device?: bigint;
  extendedAttributes?: ExtendedAttribute[];
}
