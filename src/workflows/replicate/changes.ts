import type { FileInfo, FileVersion } from '#storage';
import type { NameContents } from './name-contents.ts';

/** One thing to do at the target. */
export type Change =
  /** `replaces`: what is there under the name. `isDoubtful`: of the same size, so contents are compared first. */
  | { action: 'copy'; name: string; from: FileInfo; replaces?: FileInfo; isDoubtful?: boolean }
  /** Versions to write one after the other, the oldest first. */
  | { action: 'replay'; name: string; versions: FileVersion[] }
  | { action: 'delete'; name: string; to: FileInfo };

/**
 * How two files of one name and size are told apart. *facts*: by etag where both are MD5 sums of the content, else
 * the target must have been written after the source. *size*: they are the same. *content*: both are read.
 */
export type CompareBy = 'facts' | 'size' | 'content';

/** Etags of S3 that are the MD5 of the content: not those of parts. */
export function md5In(etag: string | undefined): string | undefined {
  return /^"?([0-9a-f]{32})"?$/.exec(etag ?? '')?.[1];
}

/** What to do about one name, or undefined where both sides are the same. */
export function changeOf(
  { name, from, to }: NameContents,
  options: { compareBy: CompareBy; isWithVersions: boolean },
): Change | undefined {
  if (options.isWithVersions) return from.length > 0 ? replayOf(name, from, to) : deleteOf(name, to);
  const [source, target] = [from[0], to[0]];
  if (!source) return deleteOf(name, to);
  if (!target) return { action: 'copy', name, from: source };
  const verdict = compare(source, target, options.compareBy);
  if (verdict === 'same') return undefined;
  const change = { action: 'copy', name, from: source, replaces: target } as const;
  return verdict === 'doubtful' ? { ...change, isDoubtful: true } : change;
}

function compare(from: FileInfo, to: FileInfo, by: CompareBy): 'same' | 'different' | 'doubtful' {
  if (from.sizeBytes !== to.sizeBytes) return 'different';
  if (by === 'size') return 'same';
  const [fromMd5, toMd5] = [md5In(from.etag), md5In(to.etag)];
  if (fromMd5 && fromMd5 === toMd5) return 'same';
  if (by === 'content') return 'doubtful';
  if (fromMd5 && toMd5) return 'different';
  return from.modifiedAt && to.modifiedAt && from.modifiedAt > to.modifiedAt ? 'different' : 'same';
}

function deleteOf(name: string, to: readonly FileVersion[]): Change | undefined {
  const current = to.findLast(({ isDeleteMarker, isLatest }) => isLatest && !isDeleteMarker);
  return current && { action: 'delete', name, to: current };
}

/** The target's newest versions are found among the source's; what came after them is missing. */
function replayOf(name: string, from: FileVersion[], to: FileVersion[]): Change | undefined {
  let overlap = Math.min(from.length, to.length);
  while (!to.slice(to.length - overlap).every((version, i) => isSameVersion(from[i]!, version))) overlap--;
  const versions = from.slice(overlap);
  return versions.length > 0 ? { action: 'replay', name, versions } : undefined;
}

function isSameVersion(from: FileVersion, to: FileVersion): boolean {
  if (from.isDeleteMarker || to.isDeleteMarker) return from.isDeleteMarker === to.isDeleteMarker;
  const [fromMd5, toMd5] = [md5In(from.etag), md5In(to.etag)];
  return from.sizeBytes === to.sizeBytes && (!fromMd5 || !toMd5 || fromMd5 === toMd5);
}
