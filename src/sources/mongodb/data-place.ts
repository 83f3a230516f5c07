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
function versionParts(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10) || 0);
}

/** Servers that can be told not to put the present time in place of an empty timestamp. */
export function keepsEmptyTimestamps(server: ServerFacts): boolean {
  if (isAtLeast(server, [8, 0])) return true;
  const patches: Record<string, number> = { '7.0': 13, '6.0': 17, '5.0': 29 };
  const [major, minor, patch = 0] = versionParts(server.version);
  return patch >= (patches[`${major}.${minor}`] ?? Number.POSITIVE_INFINITY);
}
