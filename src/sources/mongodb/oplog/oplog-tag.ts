import type { OplogTime } from '../bson-values.ts';
import type { OplogMark } from './oplog-entry.ts';
import { compareTimes } from './oplog-time.ts';

/** A place in the oplog as a tag has it: without the hash, which the manifest holds. */
export interface OplogPlace extends OplogTime {
  term: number;
}

/** What the tag of a snapshot says: a slice holds the oplog between two places, a full backup has one where slices join. */
export interface OplogTag {
  /** Only of a slice. */
  from?: OplogPlace;
  to: OplogPlace;
}

const form = /^oplog=(?:(\d+):(\d+)\/(-?\d+)\.\.)?(\d+):(\d+)\/(-?\d+)$/;

/** `oplog=T:I/TERM..T:I/TERM` of a slice, `oplog=T:I/TERM` of a full backup. */
export function oplogTagText({ from, to }: { from?: OplogMark; to: OplogMark }): string {
  return `oplog=${from ? `${placeText(from)}..` : ''}${placeText(to)}`;
}

/** What the tags of a snapshot say of the oplog; undefined when they say nothing. */
export function oplogTagIn(tags: readonly string[]): OplogTag | undefined {
  for (const tag of tags) {
    const parts = form.exec(tag)?.slice(1);
    if (!parts) continue;
    const to = placeOf(parts.slice(3));
    return parts[0] === undefined ? { to } : { from: placeOf(parts.slice(0, 3)), to };
  }
  return undefined;
}

export function isSamePlace(one: OplogPlace, other: OplogPlace): boolean {
  return one.t === other.t && one.i === other.i && one.term === other.term;
}

function placeText({ t, i, term }: OplogPlace): string {
  return `${t}:${i}/${term}`;
}

function placeOf([t, i, term]: readonly (string | undefined)[]): OplogPlace {
  return { t: Number(t), i: Number(i), term: Number(term) };
}

/** Whether a slice has the entry of a place, and more after it. */
export function goesOnFrom({ from, to }: OplogTag, place: OplogPlace): boolean {
  return (
    from !== undefined &&
    compareTimes(from, place) <= 0 &&
    compareTimes(place, to) < 0 &&
    from.term <= place.term &&
    place.term <= to.term
  );
}
