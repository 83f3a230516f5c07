import type { Clock } from '#base';
import type { FileInfo } from '../storage.ts';

interface Change {
  name: string;
  before: FileInfo | undefined;
  atMs: number;
}

const changesMax = 20;

/** How old a stale listing may be. */
export interface StalenessLimit {
  clock: Pick<Clock, 'monotonicMs'>;
  withinMs: number;
}

/** The last changes of a storage, so that a listing can be as it was before them. Clients of one storage share one. */
export class ListingHistory {
  readonly #changes: Change[] = [];
  readonly #limit: StalenessLimit | undefined;

  /** @param limit without it, only the number of changes is bounded */
  constructor(limit?: StalenessLimit) {
    this.#limit = limit;
  }

  /** @param before what a listing showed of the file before it was written or deleted */
  record(name: string, before: FileInfo | undefined): void {
    this.#changes.push({ name, before, atMs: this.#limit?.clock.monotonicMs() ?? 0 });
    if (this.#changes.length > changesMax) this.#changes.shift();
  }

  /** The listing of now with the last changes undone: at least one, and the more the larger the fraction. */
  async *past(prefix: string, fraction: number, now: AsyncIterable<FileInfo>): AsyncGenerator<FileInfo> {
    const recent = this.#recentChanges();
    const start = Math.floor((1 - fraction) * recent.length) - 1;
    const undone = recent.slice(Math.max(0, start));
    const past = new Map(undone.reverse().map(({ name, before }) => [name, before]));
    for await (const info of now) if (!past.has(info.name)) yield info;
    for (const before of past.values()) if (before?.name.startsWith(prefix)) yield before;
  }

  #recentChanges(): readonly Change[] {
    if (!this.#limit) return this.#changes;
    const sinceMs = this.#limit.clock.monotonicMs() - this.#limit.withinMs;
    return this.#changes.filter(({ atMs }) => atMs >= sinceMs);
  }
}
