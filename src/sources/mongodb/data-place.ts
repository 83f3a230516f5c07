import type { ServerFacts } from './connection.ts';

/** Where the documents of a collection lie. */
export interface DataPlace {
  collection: string;
  /** Whether the buckets of a time series must be asked for: newer servers hold them under its own name. */
  isRawData: boolean;
}

export function dataPlaceOf(
  { type, name }: { type?: string | undefined; name: string },
  server: ServerFacts,
): DataPlace {
  if (type !== 'timeseries') return { collection: name, isRawData: false };
  const isViewless = isAtLeast(server, [8, 3]);
  return { collection: isViewless ? name : `system.buckets.${name}`, isRawData: isViewless };
}

export function isAtLeast({ version }: ServerFacts, [major, minor]: [number, number]): boolean {
  const [isMajor = 0, isMinor = 0] = versionParts(version);
  return isMajor > major || (isMajor === major && isMinor >= minor);
}

/** `7.0.14-rc1` as its numbers. */
export function versionParts(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10) || 0);
}
