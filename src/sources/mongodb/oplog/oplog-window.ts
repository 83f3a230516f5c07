import type { MongoConnection } from '../connection.ts';
import { newestEntry, oldestEntry } from './find-entry.ts';

/** How far back the oplog reaches. */
export interface OplogWindow {
  /** Seconds since 1970. */
  oldestSeconds: number;
  newestSeconds: number;
}

/** What a dump is reckoned at when no rate was given: a modest server over a modest line. */
const assumedBytesPerSecond = 20 * 1024 * 1024;
/** Reckoning is rough. */
const margin = 1.5;
/** So many slices must find room in the window: one may fail, and writes come in bursts. */
const slicesInWindow = 4;

/** @throws SourceError 'sources.absent' | 'sources.access-denied' */
export async function findWindow(connection: MongoConnection): Promise<OplogWindow> {
  const [oldest, newest] = [await oldestEntry(connection), await newestEntry(connection)];
  return { oldestSeconds: oldest.time.t, newestSeconds: newest.time.t };
}

/** How long a dump of so many bytes will take, rather too long. */
export function foreseeSeconds(dataBytes: number, bytesPerSecond = assumedBytesPerSecond): number {
  return Math.ceil((dataBytes / bytesPerSecond) * margin);
}

/** Longest time between two slices. */
export function sliceSecondsMax({ oldestSeconds, newestSeconds }: OplogWindow): number {
  return Math.floor((newestSeconds - oldestSeconds) / slicesInWindow);
}
