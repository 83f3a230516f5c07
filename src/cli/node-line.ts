import { printableOf } from '#base';
import type { TreeNode } from '#repository';
import { formatTime } from './output.ts';

/** An entry for people: its path, or with all that `ls -l` shows. */
export function nodeLine(path: string, node: TreeNode, { isLong }: { isLong: boolean }): string {
  if (!isLong) return path;
  const owner = `${node.user || node.uid} ${node.group || node.gid}`;
  const target = node.linkTarget ? ` -> ${printableOf(node.linkTarget)}` : '';
  const size = String(node.sizeBytes).padStart(10);
  return `${permissionsOf(node)} ${owner.padEnd(13)} ${size} ${formatTime(node.mtimeNs)} ${path}${target}`;
}

const typeLetters: Record<TreeNode['type'], string> = {
  file: '-',
  dir: 'd',
  symlink: 'l',
  dev: 'b',
  chardev: 'c',
  fifo: 'p',
  socket: 's',
};

/** `drwxr-xr-x`, as `ls -l` shows it. */
function permissionsOf({ type, mode }: TreeNode): string {
  const letters = [...'rwxrwxrwx'].map((letter, i) => (mode & (0o400 >> i) ? letter : '-'));
  for (const [bit, at, letter] of [
    [0o4000, 2, 's'],
    [0o2000, 5, 's'],
    [0o1000, 8, 't'],
  ] as const) {
    if (mode & bit) letters[at] = letters[at] === 'x' ? letter : letter.toUpperCase();
  }
  return typeLetters[type] + letters.join('');
}
