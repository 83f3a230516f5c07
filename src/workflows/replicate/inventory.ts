import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import type { FileInfo, FileVersion } from '#storage';
import type { Change } from './changes.ts';
import type { NameContents } from './name-contents.ts';

export type Side = 'from' | 'to';

const sides: readonly Side[] = ['from', 'to'];
const cacheKiB = 8 * 1024;

/**
 * What two storages list, and what shall be done about it, in a temporary database: a million files take no memory
 * to speak of, in whatever order they are listed. SQLite removes its file itself, even when we are killed.
 */
export class Inventory implements Disposable {
  readonly #database: DatabaseSync;
  readonly #add: StatementSync;
  readonly #plan: StatementSync;

  constructor() {
    // An empty name means a temporary file that has no name.
    this.#database = new DatabaseSync('');
    this.#database.exec(`
      PRAGMA cache_size = -${cacheKiB};
      CREATE TABLE listed (name TEXT, side INTEGER, size INTEGER, modified INTEGER, etag TEXT,
                           version TEXT, is_latest INTEGER, is_marker INTEGER);
      CREATE TABLE planned (stage INTEGER, is_delete INTEGER, change TEXT);
      BEGIN`);
    this.#add = this.#database.prepare('INSERT INTO listed VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#plan = this.#database.prepare('INSERT INTO planned VALUES (?, ?, ?)');
  }

  add(side: Side, info: FileInfo | FileVersion): void {
    const { versionId, isLatest, isDeleteMarker } = 'versionId' in info ? info : onlyVersion;
    const facts = [info.sizeBytes, info.modifiedAt?.getTime() ?? null, info.etag ?? null];
    const place = sides.indexOf(side);
    this.#add.run(info.name, place, ...facts, versionId, Number(isLatest), Number(isDeleteMarker));
  }

  /** In the order of names, by their UTF-8. */
  *contents(): Generator<NameContents> {
    let group: NameContents | undefined;
    // S3 tells whole seconds. Of one second it lists the newest first, but markers apart: they count as later.
    const rows = this.#database.prepare(
      'SELECT * FROM listed ORDER BY name, side, is_latest, modified, is_marker, rowid DESC',
    );
    for (const row of rows.iterate()) {
      const name = String(row.name);
      if (group?.name !== name) {
        if (group) yield group;
        group = { name, from: [], to: [] };
      }
      group[sides[Number(row.side)]!].push(versionIn(row));
    }
    if (group) yield group;
  }

  plan(stage: number, change: Change): void {
    this.#plan.run(stage, Number(change.action === 'delete'), JSON.stringify(change));
  }

  /** In the order in which they were planned. */
  *planned(stage: number, { deletes }: { deletes: boolean }): Generator<Change> {
    const rows = this.#database.prepare(
      'SELECT change FROM planned WHERE stage = ? AND is_delete = ? ORDER BY rowid',
    );
    for (const row of rows.iterate(stage, Number(deletes))) {
      const revive = (key: string, value: unknown) =>
        key === 'modifiedAt' ? new Date(value as string) : value;
      yield JSON.parse(String(row.change), revive) as Change;
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

const onlyVersion = { versionId: '', isLatest: true, isDeleteMarker: false };

function versionIn(row: Record<string, SQLOutputValue>): FileVersion {
  return {
    name: String(row.name),
    sizeBytes: Number(row.size),
    ...(row.modified === null ? {} : { modifiedAt: new Date(Number(row.modified)) }),
    ...(row.etag === null ? {} : { etag: String(row.etag) }),
    versionId: String(row.version),
    isLatest: row.is_latest === 1,
    isDeleteMarker: row.is_marker === 1,
  };
}
