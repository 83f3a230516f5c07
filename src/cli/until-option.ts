import { InvalidArgumentError } from 'commander';
import { endOfSecond } from '#sources';
import { parseTimeNs } from './values.ts';

/** A time of MongoDB's oplog: seconds since 1970, and which of that second. */
export interface Until {
  t: number;
  i: number;
}

/** `1764020000:5`: that entry included; `2026-11-24T03:00:00Z`: the whole second included. */
export function parseUntil(text: string): Until {
  const optime = /^(\d{1,10})[:,](\d{1,10})$/.exec(text);
  if (optime) return { t: Number(optime[1]), i: Number(optime[2]) };
  try {
    return endOfSecond(Number(parseTimeNs(text) / 1_000_000_000n));
  } catch {
    throw new InvalidArgumentError(
      'Write a time like 2026-11-24T03:00:00Z, or a place in the oplog like 1764020000:5.',
    );
  }
}
