/** What a retention policy looks at. A snapshot of a repository has all of it. */
export interface RetentionSnapshot {
  id: string;
  timeNs: bigint;
  /** Zone of the snapshot: hours, days and weeks are those of its own calendar. */
  utcOffsetMinutes: number;
  hostname: string;
  paths: readonly string[];
  tags: readonly string[];
  /** `filesLost`: what could not be read when it was taken; without it the snapshot is whole. */
  summary?: { filesLost?: number };
}

/** Newest first; the id decides between snapshots of the same instant. */
export function newestFirst(a: RetentionSnapshot, b: RetentionSnapshot): number {
  if (a.timeNs !== b.timeNs) return a.timeNs > b.timeNs ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
