import { InvalidArgumentError } from 'commander';

const powers: Record<string, number> = { '': 0, k: 1, m: 2, g: 3, t: 4 };

/** `500`, `64K`, `1.5GiB`, in bytes; K is 1024. */
export function parseSize(text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(?:i?b)?$/i.exec(text);
  if (!match) throw new InvalidArgumentError('Write a size like 500, 64K, 16M or 1.5G.');
  return Math.floor(Number(match[1]) * 1024 ** powers[match[2]!.toLowerCase()]!);
}

/** For options that may come several times. */
export function collectText(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** For tags: several times, or with commas; each occurrence is one list. */
export function collectTags(text: string, before: string[][] = []): string[][] {
  return [...before, text.split(',').map((tag) => tag.trim())];
}

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Write a whole number.');
  return Number(text);
}

/** `2026-11-24`, `2026-11-24 03:00`, `2026-11-24T03:00:00Z`; without a zone it is local. In nanoseconds since 1970. */
export function parseTimeNs(text: string): bigint {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?))?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  const timeMs = match ? Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}${match[3] ?? ''}`) : Number.NaN;
  if (Number.isNaN(timeMs))
    throw new InvalidArgumentError('Write a time like 2026-11-24 or 2026-11-24T03:00:00Z.');
  return BigInt(timeMs) * 1_000_000n;
}
