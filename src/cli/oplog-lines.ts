import type { StoredSnapshot } from '#repository';
import { describeTime } from '#sources';
import { deploymentOf, isSlice, type LineMember, membersOf, runsOf, slicesFrom } from '#workflows';
import { counted } from './output.ts';

/** What MongoDB's oplog reaches in a list of snapshots: to which times each full backup can be brought, and the gaps. */
export function oplogLines(snapshots: readonly StoredSnapshot[]): string[] {
  const deployments = new Set(snapshots.filter(isSlice).map(deploymentOf));
  return [...deployments].sort().flatMap((deployment) => {
    const { fulls, slices } = membersOf(snapshots, deployment);
    const runs = runsOf(slices);
    return [
      '',
      `Oplog of ${deployment}: ${counted(slices.length, 'slice')}; restore with --until TIME`,
      ...fulls.flatMap((full) => reachOf(full, slices)),
      ...runs.flatMap((run, i) => [
        ...(i > 0 ? [gapBetween(runs[i - 1]!, run)] : []),
        ...(fulls.some(({ to }) => slicesFrom(to, slices).some((one) => run.includes(one)))
          ? []
          : [orphan(run)]),
      ]),
    ];
  });
}

function reachOf(full: LineMember, slices: readonly LineMember[]): string[] {
  const last = slicesFrom(full.to, slices).at(-1);
  if (!last) return [];
  return [
    `  ${full.snapshot.id.slice(0, 8)}  any time from ${describeTime(full.to)} to ${describeTime(last.to)}`,
  ];
}

function gapBetween(before: readonly LineMember[], after: readonly LineMember[]): string {
  const [end, start] = [before.at(-1)!.to, after[0]!.from!];
  return `  gap       nothing from ${describeTime(end)} to ${describeTime(start)}`;
}

function orphan(run: readonly LineMember[]): string {
  const ends = `${describeTime(run[0]!.from!)} to ${describeTime(run.at(-1)!.to)}`;
  return `  no use    ${counted(run.length, 'slice')}, ${ends}: no full backup leads to them`;
}
