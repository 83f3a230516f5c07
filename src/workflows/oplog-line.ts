import type { StoredSnapshot } from '#repository';
import { compareTimes, goesOnFrom, isSamePlace, type OplogPlace, oplogTagIn } from '#sources';

/** A snapshot with a stretch of the oplog (`from` is there), or a full backup that slices join at `to`. */
export interface LineMember {
  snapshot: StoredSnapshot;
  from?: OplogPlace;
  to: OplogPlace;
}

export interface LineMembers {
  fulls: LineMember[];
  slices: LineMember[];
}

/** The folder of the deployment in a snapshot: `mongodb-HOST`. */
export function deploymentOf({ paths }: StoredSnapshot): string {
  return paths[0]?.split('/')[1] ?? '';
}

/** Whether a snapshot is a slice of the oplog and no backup by itself. */
export function isSlice({ tags }: StoredSnapshot): boolean {
  return oplogTagIn(tags)?.from !== undefined;
}

/** What belongs to the oplog of a deployment, in the oplog's order: clocks of machines do not matter. */
export function membersOf(snapshots: readonly StoredSnapshot[], deployment: string): LineMembers {
  const members = snapshots
    .filter((snapshot) => deploymentOf(snapshot) === deployment)
    .flatMap((snapshot): LineMember[] => {
      const tag = oplogTagIn(snapshot.tags);
      return tag ? [{ snapshot, ...tag }] : [];
    })
    .sort((one, other) => compareTimes(one.to, other.to));
  return {
    // One of a single database is no base for slices of everything.
    fulls: members.filter(({ from, snapshot }) => !from && snapshot.paths[0] === `/${deployment}`),
    slices: members.filter(({ from }) => from),
  };
}

/** The slices that go on from a place, each with the last entry of the one before; up to the first gap. */
export function slicesFrom(place: OplogPlace, slices: readonly LineMember[]): LineMember[] {
  const first = slices.findLast((slice) => goesOnFrom(slice, place));
  return first ? [first, ...slicesAfter(first, slices)] : [];
}

/** Runs of slices that join, in order; between two of them there is a gap, or another history. */
export function runsOf(slices: readonly LineMember[]): LineMember[][] {
  const rest = new Set(slices);
  const runs: LineMember[][] = [];
  for (const slice of [...slices].sort((one, other) => compareTimes(one.from!, other.from!))) {
    if (!rest.has(slice)) continue;
    const run = [slice, ...slicesAfter(slice, slices)];
    for (const one of run) rest.delete(one);
    runs.push(run);
  }
  return runs;
}

function slicesAfter(slice: LineMember, slices: readonly LineMember[]): LineMember[] {
  // Of two that begin at one place, as after a run that was broken off, the longer one.
  const byStart = new Map(slices.map((one) => [keyOf(one.from!), one]));
  const line: LineMember[] = [];
  for (let last = slice; ; last = line.at(-1)!) {
    const next = byStart.get(keyOf(last.to));
    if (!next || isSamePlace(next.to, last.to)) return line;
    line.push(next);
  }
}

function keyOf({ t, i, term }: OplogPlace): string {
  return `${t}:${i}/${term}`;
}
