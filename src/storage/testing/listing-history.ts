import type { FileInfo } from '../storage.ts';

interface Change {
  name: string;
  before: FileInfo | undefined;
}

const changesMax = 20;

/** The last changes of a storage, so that a listing can be as it was before them. Clients of one storage share one. */
export class ListingHistory {
  readonly #changes: Change[] = [];

  /** @param before what a listing showed of the file before it was written or deleted */
  record(name: string, before: FileInfo | undefined): void {
    this.#changes.push({ name, before });
    if (this.#changes.length > changesMax) this.#changes.shift();
  }

  /** The listing of now with the last changes undone: at least one, and the more the larger the fraction. */
  async *past(prefix: string, fraction: number, now: AsyncIterable<FileInfo>): AsyncGenerator<FileInfo> {
    const start = Math.floor((1 - fraction) * this.#changes.length) - 1;
    const undone = this.#changes.slice(Math.max(0, start));
    const past = new Map(undone.reverse().map(({ name, before }) => [name, before]));
    for await (const info of now) if (!past.has(info.name)) yield info;
    for (const before of past.values()) if (before?.name.startsWith(prefix)) yield before;
  }
}
