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

/**
 * The target's newest contents are found among the source's; what came after them is missing. Markers are no help in
 * that: within one second, S3 does not tell whether they came before or after a content.
 */
function replayOf(name: string, from: FileVersion[], to: FileVersion[]): Change | undefined {
  const [ours, theirs] = [from, to].map((all) => all.filter(({ isDeleteMarker }) => !isDeleteMarker)) as [
    FileVersion[],
    FileVersion[],
  ];
  let overlap = Math.min(ours.length, theirs.length);
  while (!theirs.slice(theirs.length - overlap).every((version, i) => isSameContent(ours[i]!, version)))
    overlap--;
  const missing = overlap === 0 ? from : from.slice(from.indexOf(ours[overlap - 1]!) + 1);
  // What is hidden already need not be hidden again.
  const isHidden = to.length === 0 || to.at(-1)!.isDeleteMarker;
  const start = isHidden ? missing.findIndex(({ isDeleteMarker }) => !isDeleteMarker) : 0;
  return missing.length > 0 && start >= 0
    ? { action: 'replay', name, versions: missing.slice(start) }
    : undefined;
}

function isSameContent(from: FileVersion, to: FileVersion): boolean {
  const [fromMd5, toMd5] = [md5In(from.etag), md5In(to.etag)];
  return from.sizeBytes === to.sizeBytes && (!fromMd5 || !toMd5 || fromMd5 === toMd5);
}
