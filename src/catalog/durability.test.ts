import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { type PostgresServer, startPostgres } from '../../test/servers/postgres.ts';
import { Catalog } from './catalog.ts';
import { migrate, migrations } from './database/migrate.ts';
import { type CatalogPlace, openDatabase } from './database/open-database.ts';
import type { JobId } from './jobs/job.ts';
import { noteChange } from './journal.ts';
import { lockState } from './state-lock.ts';
import type { Deed } from './testing/catalog-worker.ts';

let folder: string;
let server: PostgresServer;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-durability-'));
  server = await startPostgres();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
const newFile = (): string => join(folder, `${files++}.sqlite`);
const masterKeys = [{ id: '00000000', key: Buffer.alloc(32) }];
const asIs = (spec: unknown): unknown => spec;
const parse = { repository: asIs, source: asIs, plan: asIs, channel: asIs };
const open = (place: CatalogPlace): Promise<Catalog> => Catalog.open({ place, masterKeys, parse });

function startWorker(deed: Deed, place: CatalogPlace): ChildProcess {
  const program = join(import.meta.dirname, 'testing/catalog-worker.ts');
  return spawn(process.execPath, ['--conditions=src', program, JSON.stringify([deed, place])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Reads so many lines of what a worker says, then kills it. */
async function killAfter(worker: ChildProcess, lineCount: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: worker.stdout! })) {
    lines.push(line);
    if (lines.length === lineCount) worker.kill('SIGKILL');
  }
  assert.ok(lines.length >= lineCount, 'it ended by itself');
  return lines;
}

for (const [database, placeOf] of [
  ['SQLite', (): CatalogPlace => ({ path: newFile() })],
  ['PostgreSQL', (): CatalogPlace => ({ url: server.database() })],
] as const) {
  describe(`a catalog in ${database}`, () => {
    test('is as it was when a migration was killed in the middle', async () => {
      const place = placeOf();
      assert.deepEqual(await killAfter(startWorker('migrate-half', place), 1), ['halfway']);
      const { db } = await openDatabase(place);
      const tables = await db.introspection.getTables();
      assert.deepEqual(
        tables.map(({ name }) => name),
        [],
      );
      await db.destroy();
      await using catalog = await open(place);
      assert.equal(await catalog.users.count(), 0);
    });

    test('is made once when several processes want to', async () => {
      const place = placeOf();
      const workers = [1, 2].map(() => startWorker('open', place));
      const ends = await Promise.all(workers.map((worker) => once(worker, 'exit')));
      assert.deepEqual(ends, [
        [0, null],
        [0, null],
      ]);
      await using catalog = await open(place);
      assert.equal(await catalog.users.count(), 0);
    });

    test('loses nothing that was acknowledged to a process that was killed', async () => {
      const place = placeOf();
      const ids = await killAfter(startWorker('write', place), 20);
      await using catalog = await open(place);
      for (const id of ids) {
        assert.equal((await catalog.jobs.get(id as JobId))?.state, 'queued');
        assert.equal((await catalog.jobs.lines(id as JobId, { after: 0, limit: 9 })).length, 1);
      }
    });

    test('of a newer version is refused, and left as it is', async () => {
      const place = placeOf();
      const newer = await openDatabase(place);
      await migrate(newer, { ...migrations, '9999-newer': () => ({ async up() {} }) });
      await newer.db.destroy();
      await assert.rejects(open(place), {
        code: 'catalog.newer',
        message: 'the catalog was made by a newer Holdfast (9999-newer)',
      });
    });
  });
}

test('a state directory has one user, until that is gone in whatever way', async () => {
  const path = join(folder, 'state');
  const worker = startWorker('lock', { path });
  await once(worker.stdout!, 'data');
  assert.throws(() => lockState(path, 'another'), {
    code: 'catalog.in-use',
    message: `${path} is in use by the server, process 4711`,
  });
  worker.kill('SIGKILL');
  await once(worker, 'exit');
  const lock = lockState(path, 'the heir');
  assert.equal(statSync(path).mode & 0o777, 0o700);
  assert.throws(() => lockState(path, 'another'), { message: `${path} is in use by the heir` });
  lock.release();
  lock.release();
  lockState(path, 'the next').release();
});

test('a state directory that cannot be made is no directory in use', () => {
  assert.throws(() => lockState('/dev/null/state', 'we'), { code: 'catalog.unreachable' });
});

test('a lost connection to PostgreSQL is an error that a retry mends', async () => {
  const place = { url: server.database() };
  await using catalog = await open(place);
  const { db } = await openDatabase(place);
  const held = await db.startTransaction().execute();
  await sql`LOCK TABLE settings IN ACCESS EXCLUSIVE MODE`.execute(held);
  const asked = assert.rejects(catalog.settings.save('zone', 'UTC'), {
    code: 'catalog.unreachable',
    retry: 'soon',
  });
  let count = 0;
  while (count === 0) {
    const { rows } = await sql<{ gone: boolean }>`
      SELECT pg_terminate_backend(pid) AS gone FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(held);
    count = rows.length;
  }
  await asked;
  await held.rollback().execute();
  await db.destroy();
  // The same connection may be met once more before its end is known.
  for (let tries = 0; (await catalog.settings.find('zone').catch(() => 'lost')) === 'lost'; tries++)
    assert.ok(tries < 10, 'it never came back');
  await catalog.settings.save('zone', 'UTC');
  assert.equal(await catalog.settings.find('zone'), 'UTC');
});

test('a full disk, a held file and a damaged one are told apart', async () => {
  const path = newFile();
  const { db, file } = await openDatabase({ path });
  await sql`CREATE TABLE filled (text)`.execute(db);
  file!.exec('PRAGMA max_page_count = 2; PRAGMA busy_timeout = 0');
  const fill = () => sql`INSERT INTO filled VALUES (randomblob(100000))`.execute(db);
  await assert.rejects(fill(), { code: 'catalog.unreachable', retry: 'soon' });
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  await assert.rejects(fill(), { code: 'catalog.unreachable', message: /locked/ });
  other.close();
  await assert.rejects(sql`SELECT nothing FROM nowhere`.execute(db), { code: 'ERR_SQLITE_ERROR' });
  await db.destroy();
  writeFileSync(path, 'no database at all'.repeat(1000));
  await assert.rejects(open({ path }), { code: 'catalog.damaged' });
});

test('a change in PostgreSQL is seen when no earlier one can come any more', async () => {
  const place = { url: server.database() };
  await using catalog = await open(place);
  const { db } = await openDatabase(place);
  const slow = await db.startTransaction().execute();
  await noteChange(slow, 0, { type: 'job', id: 'slow' });
  await catalog.journal.changed({ type: 'job', id: 'quick' });
  assert.deepEqual((await catalog.journal.changesAfter(0, 10)).changes, []);
  assert.equal(await catalog.journal.newestChange(), 0);
  await slow.commit().execute();
  await db.destroy();
  const { changes } = await catalog.journal.changesAfter(0, 10);
  assert.deepEqual(
    changes.map(({ change }) => change),
    [
      { type: 'job', id: 'slow' },
      { type: 'job', id: 'quick' },
    ],
  );
});

test('a catalog file is for us alone', async () => {
  const path = newFile();
  await (await open({ path })).close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
});
