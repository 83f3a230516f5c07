import { printableOf } from '#base';
import { type TreeNode, toGoMode } from '#repository';

/** An entry of a snapshot as restic's `ls --json` and `find --json` show it. */
export function nodeJson(path: string, node: TreeNode): Record<string, unknown> {
  return {
    name: printableOf(node.name),
    type: node.type,
    path,
    uid: node.uid,
    gid: node.gid,
    user: node.user || undefined,
    group: node.group || undefined,
    size: node.type === 'file' ? node.sizeBytes : undefined,
    mode: toGoMode(node.type, node.mode),
    permissions: goPermissions(node),
    mtime: isoNanoseconds(node.mtimeNs),
    atime: isoNanoseconds(node.atimeNs),
    ctime: isoNanoseconds(node.ctimeNs),
    inode: node.inode,
    links: node.links || undefined,
    linktarget: node.linkTarget && printableOf(node.linkTarget),
  };
}

/** `2026-11-24T03:00:05.123456789Z`. */
function isoNanoseconds(timeNs: bigint): string {
  const second = 1_000_000_000n;
  const fractionNs = ((timeNs % second) + second) % second;
  const whole = new Date(Number((timeNs - fractionNs) / 1_000_000n)).toISOString();
  return whole.replace(/\.\d+Z$/, `.${String(fractionNs).padStart(9, '0')}Z`);
}

const goLetters: Record<TreeNode['type'], string> = {
  file: '',
  dir: 'd',
  symlink: 'L',
  dev: 'D',
  chardev: 'D',
  fifo: 'p',
  socket: 'S',
};

/** Go's text of a mode, which restic shows: `dtrwxrwxrwx`. */
function goPermissions({ type, mode }: TreeNode): string {
  const more = [
    mode & 0o4000 ? 'u' : '',
    mode & 0o2000 ? 'g' : '',
    type === 'chardev' ? 'c' : '',
    mode & 0o1000 ? 't' : '',
  ];
  const letters = [...'rwxrwxrwx'].map((letter, i) => (mode & (0o400 >> i) ? letter : '-'));
  return `${goLetters[type] + more.join('') || '-'}${letters.join('')}`;
}
