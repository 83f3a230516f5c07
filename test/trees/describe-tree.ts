import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Facts of every entry below a folder, by path (latin1: one character per byte): what two equal trees share. */
export function describeTree(root: string): Record<string, string> {
  const facts: Record<string, string> = {};
  const links = new Map<string, string>();
  const visit = (path: Buffer, shown: string): void => {
    const stat = lstatSync(path, { bigint: true });
    const parts = [`mode ${stat.mode.toString(8)}`, `owner ${stat.uid}:${stat.gid}`, `mtime ${stat.mtimeNs}`];
    if (stat.isSymbolicLink())
      parts.push(`-> ${readlinkSync(path, { encoding: 'buffer' }).toString('latin1')}`);
    if (stat.isBlockDevice() || stat.isCharacterDevice()) parts.push(`device ${stat.rdev}`);
    if (stat.isFile()) {
      parts.push(
        `size ${stat.size}`,
        createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16),
      );
      if (stat.nlink > 1n) {
        const key = `${stat.dev}:${stat.ino}`;
        parts.push(`same as ${links.get(key) ?? shown}`);
        if (!links.has(key)) links.set(key, shown);
      }
    }
    facts[shown] = parts.join(', ');
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)) {
      visit(Buffer.concat([path, Buffer.from('/'), name]), `${shown}/${name.toString('latin1')}`);
    }
  };
  visit(Buffer.from(root), '');
  for (const [path, attributes] of attributesBelow(root)) facts[path] += `, ${attributes}`;
  return facts;
}

/** Extended attributes, ACLs included, as getfattr prints them. */
function attributesBelow(root: string): [string, string][] {
  const output = execFileSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: root,
    encoding: 'latin1',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return output
    .split('\n\n')
    .filter((block) => block.startsWith('# file: '))
    .map((block) => {
      const [head, ...lines] = block.split('\n');
      const path = head!
        .slice('# file: '.length)
        .replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
      return [path === '.' ? '' : `/${path}`, lines.sort().join(' ')];
    });
}
