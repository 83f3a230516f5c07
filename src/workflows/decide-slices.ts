import type { StoredSnapshot } from '#repository';
import type { GroupDecision } from '#retention';
import { compareTimes } from '#sources';
import { deploymentOf, isSlice, type LineMember, membersOf, slicesFrom } from './oplog-line.ts';

/**
 * Decides on slices of an oplog, which no policy may thin out: one lost breaks all after it. A slice stays while a full
 * backup stays that leads to it; it goes when the backups that led to it are gone, and a later one stays.
 * @param wanted those that are looked at
 * @param staying every snapshot that is left, others than slices
 */
export function decideSlices(
  wanted: readonly StoredSnapshot[],
  all: readonly StoredSnapshot[],
  staying: ReadonlySet<StoredSnapshot>,
): GroupDecision<StoredSnapshot>[] {
  const deployments = new Set(wanted.filter(isSlice).map(deploymentOf));
  return [...deployments].map((deployment) => {
    const { fulls, slices } = membersOf(all, deployment);
    const left = fulls.filter(({ snapshot }) => staying.has(snapshot));
    const looked = new Set(wanted);
    const needed = new Set(left.flatMap(({ to }) => slicesFrom(to, slices)));
    const isOver = (slice: LineMember): boolean =>
      !needed.has(slice) && left.some(({ to }) => compareTimes(slice.to, to) <= 0);
    const own = slices.filter(({ snapshot }) => looked.has(snapshot)).reverse();
    return {
      key: { paths: own[0]!.snapshot.paths },
      keep: own
        .filter((slice) => !isOver(slice))
        .map(({ snapshot }) => ({ snapshot, reasons: ['slice of the oplog'] })),
      forget: own.filter(isOver).map(({ snapshot }) => snapshot),
    };
  });
}
