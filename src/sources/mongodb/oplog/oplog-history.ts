import { SourceError } from '../../errors.ts';
import type { OplogTime } from '../bson-values.ts';
import type { DumpOplog } from '../manifest.ts';
import { markOf, type OplogEntry, type OplogMark } from './oplog-entry.ts';
import { entriesOf, type OplogRange } from './oplog-range.ts';
import { compareTimes, describeTime } from './oplog-time.ts';

/** A stretch of the oplog that lies in a snapshot. */
export interface OplogPart {
  range: OplogRange;
  /** May be called more than once. */
  open(): AsyncIterable<Uint8Array>;
}

/** What is replayed over a dump. */
export interface OplogHistory {
  /** In order; each begins with the last entry of the one before, but for the first slice, in which the dump's last one lies. */
  parts: readonly OplogPart[];
  /** The first entry that is replayed. */
  first: OplogMark;
  /** From then on the dump is whole. */
  consistentAt: OplogTime;
  /** Entries of later times are left; undefined: all are replayed. */
  until: OplogTime | undefined;
}

/**
 * Proves, before anything is written, that a dump and slices are one history up to a time.
 * @param slices in order; those after the wished time are not looked at
 * @returns undefined when nothing is to be replayed
 * @throws SourceError 'sources.oplog-gap' when the time is not covered, 'sources.oplog-rollback' when they do not join
 */
export async function joinHistory(
  oplog: DumpOplog,
  { captured, slices, until }: { captured?: OplogPart; slices: readonly OplogPart[]; until?: OplogTime },
): Promise<OplogHistory | undefined> {
  const { last, consistentAt } = oplog;
  if (until && compareTimes(until, consistentAt) < 0)
    throw notCovered(until, { from: consistentAt, to: slices.at(-1)?.range.last ?? consistentAt });
  const isNeeded = ({ range }: OplogPart): boolean => !until || compareTimes(range.first, until) <= 0;
  const needed = slices.filter((one) => compareTimes(one.range.last, last) > 0 && isNeeded(one));
  if (needed.length > 0) await assertHolds(needed[0]!, last);
  for (const [i, { range }] of needed.entries())
    if (i > 0) assertJoins(needed[i - 1]!.range.last, range.first);
  const end = needed.at(-1)?.range.last ?? (captured ? last : consistentAt);
  // A wished second must be over: later entries of it may be missing.
  if (until && compareTimes(end, until) < 0) throw notCovered(until, { from: consistentAt, to: end });
  const parts = [...(captured ? [captured] : []), ...needed];
  if (parts.length === 0) return undefined;
  return { parts, first: captured ? captured.range.first : last, consistentAt, until };
}

/** The entries to replay, each once. @throws SourceError 'sources.damaged' */
export async function* entriesThrough({ parts, first, until }: OplogHistory): AsyncGenerator<OplogEntry> {
  let before: OplogTime | undefined;
  for (const { range, open } of parts)
    for await (const entry of entriesOf(open(), range)) {
      const { time } = entry;
      if (before ? compareTimes(time, before) <= 0 : compareTimes(time, first) < 0) continue;
      if (until && compareTimes(time, until) > 0) return;
      yield entry;
      before = time;
    }
}

/** Whether a slice has that very entry: where one joins a dump, it may be in its middle. */
async function assertHolds({ range, open }: OplogPart, wanted: OplogMark): Promise<void> {
  if (compareTimes(range.first, wanted) > 0) throw gapBetween(wanted, range.first);
  for await (const entry of entriesOf(open(), range)) {
    const order = compareTimes(entry.time, wanted);
    if (order < 0) continue;
    if (order === 0 && markOf(entry).hash === wanted.hash) return;
    break;
  }
  throw otherHistory(wanted);
}

function assertJoins(last: OplogMark, first: OplogMark): void {
  if (compareTimes(last, first) !== 0) throw gapBetween(last, first);
  if (last.term !== first.term || last.hash !== first.hash) throw otherHistory(last);
}

function gapBetween(from: OplogTime, to: OplogTime): SourceError {
  return new SourceError(
    'sources.oplog-gap',
    `between ${describeTime(from)} and ${describeTime(to)} no slice holds the oplog`,
    { hint: 'Restore to a time before the gap with --until, or from a full backup after it.' },
  );
}

function otherHistory(mark: OplogTime): SourceError {
  return new SourceError(
    'sources.oplog-rollback',
    `the slices have another entry at ${describeTime(mark)} than what comes before: they are of another history`,
    { hint: 'Restore to that time with --until, or from a full backup after it.' },
  );
}

function notCovered(until: OplogTime, { from, to }: { from: OplogTime; to: OplogTime }): SourceError {
  return new SourceError(
    'sources.oplog-gap',
    `cannot restore to ${describeTime(until)}: this backup and its slices reach from ${describeTime(from)} to ${describeTime(to)}`,
    {
      hint: 'Choose a time in between, or another backup; `holdfast snapshots` shows what each one reaches.',
    },
  );
}
