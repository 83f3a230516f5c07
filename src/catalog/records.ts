import type { Clock, Random } from '#base';
import type { OpenDatabase } from './database/open-database.ts';

/** What every store works with. */
export interface StoreContext extends OpenDatabase {
  clock: Clock;
  random: Random;
}

/** A page of a list, and where the next one begins; undefined after the last. */
export interface Page<Item> {
  items: Item[];
  next: string | undefined;
}

/** Where a page begins, and how many items it has at most. */
export interface PageRequest {
  cursor?: string | undefined;
  limit: number;
}

/** Cuts a page from one row more than it has. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  { limit }: PageRequest,
  { cursorOf, itemOf }: { cursorOf(row: Row): string; itemOf(row: Row): Item },
): Page<Item> {
  const shown = rows.slice(0, limit);
  return {
    items: shown.map(itemOf),
    next: rows.length > limit ? cursorOf(shown.at(-1)!) : undefined,
  };
}

/** What we wrote as JSON ourselves. */
export function fromJson<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}

export function dateOf(timeMs: number | null): Date | undefined {
  return timeMs === null ? undefined : new Date(timeMs);
}

/** Leaves out what is undefined, as our optional members want it. */
export function compact<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never;
}
