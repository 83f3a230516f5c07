import { holds, type PackFacts } from './pack-facts.ts';

/** How much unused data may stay in packs that are partly used: a share of all data, bytes, or any amount. */
type UnusedLimit = { percent: number } | { sizeBytes: number } | 'unlimited';

export interface RepackOptions {
  maxUnused: UnusedLimit;
  /** Packs of this size together are copied at most; the rest is left to the next prune. */
  maxRepackSizeBytes: number;
  /** Smaller packs are put together when there are several. */
  repackSmallerThanBytes: number;
  /** Copy packs that hold uncompressed data, and compress it. */
  repackUncompressed: boolean;
}

/** Putting fewer small packs together is not worth it. */
const smallPacksMin = 10;

interface Candidate {
  pack: number;
  sizeBytes: number;
  unusedBytes: number;
  /** Unused bytes for each used one. */
  waste: number;
  isSmall: boolean;
  /** For another reason than unused data. */
  isRequired: boolean;
}

/**
 * Picks the packs whose used blobs are to be copied, so that the packs can go: restic's rules (prune, `decidePackAction`).
 * Trees are always freed of what is unused, because clients keep them in their caches.
 * @param used packs that hold used blobs, by number
 */
export function chooseRepack(facts: PackFacts, used: readonly number[], options: RepackOptions): number[] {
  const wasteful: Candidate[] = [];
  const small: Candidate[] = [];
  let usedBytes = 0;
  let unusedBytes = 0;
  for (const pack of used) {
    usedBytes += facts.usedBytes[pack]!;
    unusedBytes += facts.unusedBytes[pack]!;
    const candidate = candidateOf(facts, pack, options);
    if (candidate.isRequired || candidate.unusedBytes > 0) wasteful.push(candidate);
    else if (candidate.isSmall) small.push(candidate);
  }
  const candidates = small.length < smallPacksMin ? wasteful : [...wasteful, ...small];
  candidates.sort(mostUrgentFirst);
  const unusedMax = unusedBytesMax(options.maxUnused, usedBytes);
  const chosen: number[] = [];
  let repackedBytes = 0;
  for (const { pack, sizeBytes, unusedBytes: freedBytes, isRequired, isSmall } of candidates) {
    if (repackedBytes + sizeBytes > options.maxRepackSizeBytes) continue;
    if (!isRequired && !isSmall && unusedBytes <= unusedMax) continue;
    chosen.push(pack);
    repackedBytes += sizeBytes;
    unusedBytes -= freedBytes;
  }
  return chosen;
}

function candidateOf(facts: PackFacts, pack: number, options: RepackOptions): Candidate {
  const kinds = facts.kinds[pack]!;
  const unusedBytes = facts.unusedBytes[pack]!;
  const sizeBytes = facts.sizeBytes[pack]!;
  const hasTrees = (kinds & holds.tree) !== 0;
  const isMixed = hasTrees && (kinds & holds.data) !== 0;
  const mustCompress =
    (kinds & (options.repackUncompressed ? holds.plainData | holds.plainTree : holds.plainTree)) !== 0;
  return {
    pack,
    sizeBytes,
    unusedBytes,
    waste: unusedBytes / facts.usedBytes[pack]!,
    isSmall: sizeBytes < options.repackSmallerThanBytes,
    isRequired: isMixed || mustCompress || (hasTrees && unusedBytes > 0),
  };
}

function mostUrgentFirst(a: Candidate, b: Candidate): number {
  if (a.isRequired !== b.isRequired) return a.isRequired ? -1 : 1;
  if (a.waste !== b.waste) return b.waste - a.waste;
  return a.pack - b.pack;
}

function unusedBytesMax(limit: UnusedLimit, usedBytes: number): number {
  if (limit === 'unlimited') return Number.POSITIVE_INFINITY;
  if ('sizeBytes' in limit) return limit.sizeBytes;
  // The share is one of all data, used and unused.
  return limit.percent >= 100
    ? Number.POSITIVE_INFINITY
    : (limit.percent / (100 - limit.percent)) * usedBytes;
}
