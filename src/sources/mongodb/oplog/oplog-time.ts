import type { OplogTime } from '../bson-values.ts';

export function compareTimes(one: OplogTime, other: OplogTime): number {
  return one.t - other.t || one.i - other.i;
}

/** For people: `2023-11-14T22:13:20Z (1700000000:5)`; what is in brackets `--until` takes, and mongorestore’s `--oplogLimit`. */
export function describeTime(time: OplogTime): string {
  return `${new Date(time.t * 1000).toISOString().replace('.000', '')} (${time.t}:${time.i})`;
}

/** A wish for a whole second: every entry of it. */
export function endOfSecond(seconds: number): OplogTime {
  return { t: seconds, i: 0xff_ff_ff_ff };
}
