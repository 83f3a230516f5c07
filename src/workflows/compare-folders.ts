import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileAttributes } from '#base';
import type { Source } from '#sources';

/** One entry that is not the same on both sides. */
export interface Difference {
  /** For people, from the root of the sources. */
  path: string;
  /** `is missing`, `is not in the original`, or the facts that differ: `mode, mtime`. */
  what: string;
}

export interface Comparison {
  differences: Difference[];
  entries: number;
  files: number;
  bytes: number;
}

interface Entry {
  attributes: FileAttributes;
  localPath: Uint8Array | undefined;
}

/**
 * Compares two trees of files of this machine entry by entry: type, mode, owner, time, size, links, extended
 * attributes, and every byte of content. Entries are matched by their paths below each root.
 */
export async function compareFolders(
  original: { source: Source; root: string },
  copy: { source: Source; root: string },
  signal: AbortSignal,
): Promise<Comparison> {
  const wanted = await entriesOf(original, signal);
  const found = await entriesOf(copy, signal);
  const comparison: Comparison = { differences: [], entries: 0, files: 0, bytes: 0 };
  for (const [path, entry] of wanted) {
    comparison.entries++;
    const other = found.get(path);
    const what = other ? await differenceOf(entry, other) : 'is missing';
    if (what) comparison.differences.push({ path, what });
    if (entry.attributes.type !== 'file') continue;
    comparison.files++;
    comparison.bytes += entry.attributes.sizeBytes;
  }
  for (const path of found.keys())
    if (!wanted.has(path)) comparison.differences.push({ path, what: 'is not in the original' });
  return comparison;
}

/** Entries by their paths below the root as bytes in latin1 text, so that every name has its own. */
async function entriesOf(
  { source, root }: { source: Source; root: string },
  signal: AbortSignal,
): Promise<Map<string, Entry>> {
  const prefix = `${Buffer.from(root).toString('latin1').replace(/\/+$/, '')}/`;
  const entries = new Map<string, Entry>();
  for await (const event of source.read(signal)) {
    if (event.kind === 'problem') throw event.problem.error;
    if (event.kind === 'leave') continue;
    const path = `/${event.path.map((name) => Buffer.from(name).toString('latin1')).join('/')}`;
    if (!path.startsWith(prefix)) continue;
    const { content, attributes } = event;
    const localPath = content && 'localPath' in content ? content.localPath : undefined;
    entries.set(path.slice(prefix.length), { attributes, localPath });
  }
  return entries;
}

const facts = ['type', 'mode', 'uid', 'gid', 'mtimeNs', 'sizeBytes', 'device'] as const;

async function differenceOf(a: Entry, b: Entry): Promise<string | undefined> {
  const differing: string[] = facts.filter((fact) => a.attributes[fact] !== b.attributes[fact]);
  if (textOf(a.attributes.linkTarget) !== textOf(b.attributes.linkTarget)) differing.push('target');
  if (xattrsOf(a.attributes) !== xattrsOf(b.attributes)) differing.push('extended attributes');
  if (a.localPath && b.localPath && (await hashOf(a.localPath)) !== (await hashOf(b.localPath)))
    differing.push('content');
  return differing.length > 0 ? differing.join(', ') : undefined;
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('latin1');
}

function xattrsOf({ extendedAttributes = [] }: FileAttributes): string {
  return extendedAttributes
    .map(({ name, value }) => `${name}=${textOf(value)}`)
    .sort()
    .join('\n');
}

async function hashOf(path: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(Buffer.from(path))) hash.update(piece as Uint8Array);
  return hash.digest('hex');
}
