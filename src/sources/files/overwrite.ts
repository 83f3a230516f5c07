import type { FileAttributes } from '#base';

/**
 * What a restore does where something of the same name exists. *never*: leaves it; *if-changed*: replaces it
 * unless type, size and mtime agree; *if-newer*: replaces what is older than the snapshot's; *always*: replaces it.
 */
export type OverwritePolicy = 'never' | 'if-changed' | 'if-newer' | 'always';

/** *keep*: it looks the same, only its metadata may need work; *leave*: it is not touched at all. */
export type Decision = 'create' | 'replace' | 'keep' | 'leave';

export interface Comparison {
  policy: OverwritePolicy;
  /** Nothing of that name when undefined. */
  existing: FileAttributes | undefined;
  wanted: FileAttributes;
  /** How far two equal times may lie apart, because not every system can set nanoseconds. */
  toleranceNs: bigint;
}

export function decideOverwrite({ policy, existing, wanted, toleranceNs }: Comparison): Decision {
  if (!existing) return 'create';
  if (wanted.type === 'dir' && existing.type === 'dir') return policy === 'never' ? 'leave' : 'keep';
  switch (policy) {
    case 'never':
      return 'leave';
    case 'if-newer':
      return existing.mtimeNs + toleranceNs >= wanted.mtimeNs ? 'leave' : 'replace';
    case 'if-changed':
      return looksSame(existing, wanted, toleranceNs) ? 'keep' : 'replace';
    case 'always':
      return 'replace';
  }
}

function looksSame(existing: FileAttributes, wanted: FileAttributes, toleranceNs: bigint): boolean {
  const apartNs = existing.mtimeNs - wanted.mtimeNs;
  return (
    existing.type === wanted.type &&
    existing.sizeBytes === wanted.sizeBytes &&
    apartNs <= toleranceNs &&
    apartNs >= -toleranceNs
  );
}
