import type { FileType } from '#base';

/** Bits of Go's os.FileMode, in which a tree keeps modes. The permission bits are those of POSIX. */
const goTypes: Record<FileType, number> = {
  file: 0,
  dir: 2 ** 31,
  symlink: 2 ** 27,
  dev: 2 ** 26,
  chardev: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
};
const goSetuid = 2 ** 23;
const goSetgid = 2 ** 22;
const goSticky = 2 ** 20;

const setuid = 0o4000;
const setgid = 0o2000;
const sticky = 0o1000;

/** Go's mode of a file of this type with these POSIX bits (`st_mode & 0o7777`). */
export function toGoMode(type: FileType, mode: number): number {
  let goMode = goTypes[type] + (mode & 0o777);
  if (mode & setuid) goMode += goSetuid;
  if (mode & setgid) goMode += goSetgid;
  if (mode & sticky) goMode += goSticky;
  return goMode;
}

/** The POSIX bits of Go's mode, without the type. */
export function fromGoMode(goMode: number): number {
  return (
    (goMode & 0o777) |
    (goMode & goSetuid ? setuid : 0) |
    (goMode & goSetgid ? setgid : 0) |
    (goMode & goSticky ? sticky : 0)
  );
}
