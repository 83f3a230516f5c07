import { RetentionError } from './errors.ts';
import type { RetentionSnapshot } from './snapshot.ts';

/** What snapshots must have in common to be thinned out together. restic's default is host and paths. */
export type GroupBy = 'host' | 'paths' | 'tags' | 'name';

/** What the snapshots of a group have in common; only members that were grouped by are there. */
export interface GroupKey {
  hostname?: string;
  paths?: readonly string[];
  tags?: readonly string[];
  /** Value of the tag `name=…`; empty for snapshots without one. */
  name?: string;
}

export interface SnapshotGroup<Snapshot> {
  key: GroupKey;
  snapshots: Snapshot[];
}

const spellings: Record<string, GroupBy> = {
  host: 'host',
  hosts: 'host',
  path: 'paths',
  paths: 'paths',
  tag: 'tags',
  tags: 'tags',
  name: 'name',
  names: 'name',
};

/** Reads a list as `host,paths`; an empty text is one group of all. @throws RetentionError 'retention.policy' */
export function parseGroupBy(text: string): GroupBy[] {
  return text
    .split(',')
    .filter((word) => word !== '')
    .map((word) => {
      const by = spellings[word.trim()];
      if (by) return by;
      throw new RetentionError('retention.policy', `cannot group snapshots by '${word}'`, {
        hint: 'Group by host, paths, tags, name, or several of them with commas.',
      });
    });
}

/** Snapshots with the same key together, groups in the order in which they appear. */
export function groupSnapshots<Snapshot extends RetentionSnapshot>(
  snapshots: readonly Snapshot[],
  by: readonly GroupBy[],
): SnapshotGroup<Snapshot>[] {
  const groups = new Map<string, SnapshotGroup<Snapshot>>();
  for (const snapshot of snapshots) {
    const key = keyOf(snapshot, by);
    const text = JSON.stringify(key);
    const group = groups.get(text);
    if (group) group.snapshots.push(snapshot);
    else groups.set(text, { key, snapshots: [snapshot] });
  }
  return [...groups.values()];
}

function keyOf(snapshot: RetentionSnapshot, by: readonly GroupBy[]): GroupKey {
  return {
    ...(by.includes('host') ? { hostname: snapshot.hostname } : {}),
    ...(by.includes('paths') ? { paths: snapshot.paths.toSorted() } : {}),
    ...(by.includes('tags') ? { tags: snapshot.tags.toSorted() } : {}),
    ...(by.includes('name') ? { name: nameOf(snapshot) } : {}),
  };
}

function nameOf({ tags }: RetentionSnapshot): string {
  return tags.find((tag) => tag.startsWith('name='))?.slice('name='.length) ?? '';
}
