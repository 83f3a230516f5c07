import * as fs from 'node:fs';
import type { FileAttributes, FileType } from './file-attributes.ts';
import { type FileRef, type Place, type Posix, systemError } from './posix.ts';
import { fileAccounts } from './posix-accounts.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, S_IFMT } = fs.constants;
const isLinux = process.platform === 'linux';
/** Not in `fs.constants`; the same on x64 and arm64. */
export const O_PATH = isLinux ? 0o10000000 : 0;
export const O_CLOEXEC = isLinux ? 0o2000000 : 0;

const ENOTSUP = 95;

const fileTypes: Record<number, FileType | undefined> = {
  [fs.constants.S_IFREG]: 'file',
  [fs.constants.S_IFDIR]: 'dir',
  [fs.constants.S_IFLNK]: 'symlink',
  [fs.constants.S_IFBLK]: 'dev',
  [fs.constants.S_IFCHR]: 'chardev',
  [fs.constants.S_IFIFO]: 'fifo',
  [fs.constants.S_IFSOCK]: 'socket',
};

/** The type in `st_mode`. */
export function fileTypeOf(mode: number): FileType {
  const type = fileTypes[mode & S_IFMT];
  if (!type) throw new Error(`file of unknown type: mode ${mode.toString(8)}`);
  return type;
}

/**
 * By node:fs alone. On Linux a name in an open folder is reached as /proc/self/fd/N/name, which the kernel
 * resolves from the open folder, as openat would; elsewhere the folder's path is remembered and used.
 */
export function portablePosix(system: { hasProc: boolean }): Posix {
  const accounts = fileAccounts();
  const paths = new Map<number, Buffer>();
  const slash = Buffer.from('/');

  const folderPath = (fd: number): Buffer =>
    system.hasProc ? Buffer.from(`/proc/self/fd/${fd}`) : (paths.get(fd) ?? Buffer.from('.'));
  const pathOf = ({ folder, name }: Place): Buffer => {
    if (name.includes(0) || name.includes(0x2f)) throw systemError(22, 'path', name);
    return Buffer.concat([folderPath(folder), slash, name]);
  };
  const unsupported = (syscall: string, name?: Uint8Array): never => {
    throw systemError(ENOTSUP, syscall, name);
  };

  return {
    capabilities: {
      confined: system.hasProc,
      exactTimes: false,
      extendedAttributes: false,
      specialFiles: false,
      holes: false,
      accountNames: false,
    },

    openFolder(place, how = {}) {
      const path = typeof place === 'string' ? Buffer.from(place) : pathOf(place);
      const flags = (how.searchOnly ? O_PATH : O_RDONLY) | O_DIRECTORY | (how.follow ? 0 : O_NOFOLLOW);
      const fd = fs.openSync(path, flags);
      if (!system.hasProc) paths.set(fd, path);
      return fd;
    },
    openFile: (place, flags, mode = 0o600) => fs.openSync(pathOf(place), flags | O_NOFOLLOW, mode),
    close(fd) {
      paths.delete(fd);
      fs.closeSync(fd);
    },
    listNames: (folder) => fs.readdirSync(folderPath(folder), { encoding: 'latin1' }),

    stat(file) {
      const stats =
        typeof file === 'number'
          ? fs.fstatSync(file, { bigint: true })
          : fs.lstatSync(pathOf(file), { bigint: true, throwIfNoEntry: false });
      return stats && attributesOf(stats, accounts);
    },
    readLink: (place) => fs.readlinkSync(pathOf(place), { encoding: 'buffer' }),
    readXattrs: () => [],

    makeFolder: (place, mode) => void fs.mkdirSync(pathOf(place), { mode }),
    makeSymlink: (place, target) => fs.symlinkSync(Buffer.from(target), pathOf(place)),
    makeSpecial: (place) => unsupported('mknodat', place.name),
    makeLink: (existing, place) => fs.linkSync(pathOf(existing), pathOf(place)),
    remove: (place, what) => removeAt(pathOf(place), what),
    rename: (from, to) => fs.renameSync(pathOf(from), pathOf(to)),

    setOwner(file, uid, gid) {
      if (typeof file === 'number') fs.fchownSync(file, uid, gid);
      else fs.lchownSync(pathOf(file), uid, gid);
    },
    setMode(file, mode) {
      if (typeof file === 'number') fs.fchmodSync(file, mode);
      else setModeAt(pathOf(file), mode, system);
    },
    setTimes(file, atimeNs, mtimeNs) {
      const [atime, mtime] = [secondsOf(atimeNs), secondsOf(mtimeNs)];
      if (typeof file === 'number') fs.futimesSync(file, atime, mtime);
      else fs.lutimesSync(pathOf(file), atime, mtime);
    },
    setXattr: (file, { name }) => unsupported('setxattr', nameOf(file) ?? Buffer.from(name)),
    removeXattr: (file, name) => unsupported('removexattr', nameOf(file) ?? Buffer.from(name)),

    allocate: () => {},
    punchHole: () => false,
    findData(fd, offset) {
      const end = fs.fstatSync(fd).size;
      return offset < end ? { start: offset, end } : undefined;
    },
    forgetCached: () => {},
  };
}

/** As text, because node:fs takes a negative number for "now" and a text for what it says. */
function secondsOf(timeNs: bigint): string {
  return String(Number(timeNs) / 1e9);
}

function nameOf(file: FileRef): Uint8Array | undefined {
  return typeof file === 'number' ? undefined : file.name;
}

/** Linux has no lchmod: an O_PATH descriptor pins what lies there, whatever its type, and its /proc name is no symlink to follow. */
function setModeAt(path: Buffer, mode: number, system: { hasProc: boolean }): void {
  if (!system.hasProc) {
    if (!fs.lstatSync(path).isSymbolicLink()) fs.chmodSync(path, mode);
    return;
  }
  const fd = fs.openSync(path, O_PATH | O_NOFOLLOW);
  try {
    if (!fs.fstatSync(fd).isSymbolicLink()) fs.chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    fs.closeSync(fd);
  }
}

function attributesOf(stats: fs.BigIntStats, accounts: ReturnType<typeof fileAccounts>): FileAttributes {
  const mode = Number(stats.mode);
  const type = fileTypeOf(mode);
  const uid = Number(stats.uid);
  const gid = Number(stats.gid);
  const attributes: FileAttributes = {
    type,
    mode: mode & 0o7777,
    uid,
    gid,
    user: accounts.userName(uid),
    group: accounts.groupName(gid),
    mtimeNs: stats.mtimeNs,
    atimeNs: stats.atimeNs,
    ctimeNs: stats.ctimeNs,
    inode: stats.ino,
    deviceId: stats.dev,
    links: Number(stats.nlink),
    sizeBytes: type === 'file' ? Number(stats.size) : 0,
  };
  if (type === 'dev' || type === 'chardev') attributes.device = stats.rdev;
  return attributes;
}

/** Removing what is not there succeeds. */
function removeAt(path: Buffer, what: { folder?: boolean } = {}): void {
  try {
    if (what.folder) fs.rmdirSync(path);
    else fs.unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
