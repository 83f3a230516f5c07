/**
 * Fills a catalog with the records of a large server and times its lists, in a file and in PostgreSQL.
 * By hand: scripts/node bench/catalog.ts [jobs]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { systemClock, systemRandom } from '#base';
import { Catalog, type CatalogPlace, newSealingKey } from '#catalog';
import { startPostgres } from '../test/servers/postgres.ts';

const jobCount = Number(process.argv[2] ?? 1_000_000);
const [planCount, snapshotCount, repositoryCount, queuedCount] = [2000, jobCount / 5, 20, 500];
const [repeats, limit] = [40, 50];

/** What differs between the two when rows are made out of numbers. */
interface Dialect {
  /** A query with a column `i` from 0. */
  numbers(count: number): string;
  /** Of a number, in 12 hexadecimal digits. */
  hex(expression: string): string;
  /** Of a number, in 64 hexadecimal digits without an order. */
  mixed(expression: string): string;
}

const sqlite: Dialect = {
  numbers: (count) =>
    `(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count}) SELECT i FROM n) AS n`,
  hex: (expression) => `printf('%012x', ${expression})`,
  mixed: (expression) => `printf('%064x', (${expression}) * 2654435761 % 4294967296)`,
};

const server: Dialect = {
  numbers: (count) => `(SELECT generate_series(0, ${count - 1})::bigint AS i) AS n`,
  hex: (expression) => `lpad(to_hex((${expression})::bigint), 12, '0')`,
  mixed: (expression) => `lpad(to_hex((${expression}) * 2654435761 % 4294967296), 64, '0')`,
};

/** Jobs are a minute apart, one plan after the other; 1 of 100 failed, 1 of 1000 is a drill; the newest wait. */
function statements({ numbers, hex, mixed }: Dialect): string[] {
  const createdAt = '1700000000000 + i * 60000';
  const id = `substr(${hex(createdAt)}, 1, 8) || '-' || substr(${hex(createdAt)}, 9) || '-7000-8000-' || ${hex('i')}`;
  const isQueued = `i >= ${jobCount - queuedCount}`;
  const state = `CASE WHEN ${isQueued} THEN 'queued' WHEN i % 100 = 7 THEN 'failed' ELSE 'succeeded' END`;
  return [
    `INSERT INTO configured SELECT 'plan', ${hex('i')}, 'plan-' || i, '{"kind":"backup","sources":["shop"],"repositories":["nas"]}', '{"from":"dashboard"}', 1, 0, 0 FROM ${numbers(planCount)}`,
    `INSERT INTO jobs (id, kind, version, plan, input, labels, trigger_kind, limits, state, attempt, generation, result, created_at, started_at, ended_at)
      SELECT ${id}, CASE WHEN i % 1000 = 3 THEN 'drill' ELSE 'backup' END, 1, 'plan-' || (i % ${planCount}),
        '{"plan":"some","targets":["nas","bucket"]}', '{"team":"shop"}', 'schedule', '["storage:nas"]', ${state}, 1, 1,
        '[{"repository":"nas","state":"succeeded","addedBytes":123456,"processedBytes":9876543210}]',
        ${createdAt}, ${createdAt}, CASE WHEN ${isQueued} THEN NULL ELSE ${createdAt} + 50000 END
      FROM ${numbers(jobCount)}`,
    `INSERT INTO snapshots SELECT 'repository-' || (i % ${repositoryCount}), ${mixed('i')}, 'plan-' || (i % ${planCount}),
        'source-' || (i % 500), NULL, 1700000000000 + i * 300000,
        '{"host":"web1","paths":["/srv/shop"],"sizeBytes":9876543210,"fileCount":123456}', '[]', '[]', NULL, NULL
      FROM ${numbers(snapshotCount)}`,
    'ANALYZE',
  ];
}

async function fill(place: CatalogPlace): Promise<void> {
  if ('path' in place) {
    const database = new DatabaseSync(place.path);
    for (const statement of statements(sqlite)) database.exec(statement);
    database.close();
    return;
  }
  const database = new pg.Client(place.url);
  await database.connect();
  for (const statement of statements(server)) await database.query(statement);
  await database.end();
}

type Question = (catalog: Catalog, turn: number) => Promise<unknown>;

/** What pages ask for. Each turn asks for another plan, repository or page. */
const questions: Record<string, Question> = {
  'plans, all': ({ plans }) => plans.list(),
  'plans, a page': ({ plans }, turn) => plans.page({ limit, cursor: `plan-${turn * 41}` }),
  'jobs, newest': ({ jobs }) => jobs.list({}, { limit }),
  'jobs, far back': ({ jobs }, turn) => jobs.list({}, { limit, cursor: cursorOf(turn) }),
  'jobs of a plan': ({ jobs }, turn) => jobs.list({ plan: `plan-${turn * 41}` }, { limit }),
  'jobs that failed': ({ jobs }) => jobs.list({ states: ['failed', 'partial'] }, { limit }),
  'jobs that failed, far back': ({ jobs }, turn) =>
    jobs.list({ states: ['failed', 'partial'] }, { limit, cursor: cursorOf(turn) }),
  'jobs that are interrupted (none)': ({ jobs }) => jobs.list({ states: ['interrupted'] }, { limit }),
  'jobs under way': ({ jobs }) => jobs.list({ states: ['queued', 'running'] }, { limit }),
  'jobs of four kinds': ({ jobs }) => jobs.list({ kinds: ['backup', 'drill', 'check', 'prune'] }, { limit }),
  'backups and drills that failed': ({ jobs }) =>
    jobs.list({ kinds: ['backup', 'drill'], states: ['failed', 'partial'] }, { limit }),
  'jobs of a plan that failed': ({ jobs }, turn) =>
    jobs.list({ plan: `plan-${turn * 41}`, states: ['failed'] }, { limit }),
  drills: ({ jobs }) => jobs.list({ kinds: ['drill'] }, { limit }),
  'drills that failed (none)': ({ jobs }) => jobs.list({ kinds: ['drill'], states: ['failed'] }, { limit }),
  'snapshots, newest': ({ snapshots }) => snapshots.list({}, { limit }),
  'snapshots of a repository': ({ snapshots }, turn) =>
    snapshots.list({ repository: `repository-${turn % repositoryCount}` }, { limit }),
  'snapshots of a repository, far back': ({ snapshots }, turn) =>
    snapshots.list({ repository: `repository-${turn % repositoryCount}` }, { limit, cursor: farBack(turn) }),
  'snapshots of a plan': ({ snapshots }, turn) => snapshots.list({ plan: `plan-${turn * 41}` }, { limit }),
  'snapshots of a source, far back': ({ snapshots }, turn) =>
    snapshots.list({ source: `source-${turn}` }, { limit, cursor: farBack(turn) }),
  'snapshots of a repository, all': ({ snapshots }, turn) =>
    snapshots.ofRepository(`repository-${turn % repositoryCount}`),
  'a pass over 500 jobs that wait': ({ jobs }) =>
    jobs.dispatch({
      kinds: [{ name: 'backup', version: 1 }],
      capacityOf: () => 1000,
      countMax: 10_000,
    }),
};

function cursorOf(turn: number): string {
  const time = (1_700_000_000_000 + Math.floor((jobCount * turn) / repeats) * 60_000)
    .toString(16)
    .padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

function farBack(turn: number): string {
  return `${1_700_000_000_000 + Math.floor((snapshotCount * turn) / repeats) * 300_000}_0_`;
}

async function measure(name: string, place: CatalogPlace): Promise<void> {
  const asIs = (spec: unknown): unknown => spec;
  const parse = { repository: asIs, source: asIs, plan: asIs, channel: asIs };
  const open = () => Catalog.open({ place, masterKeys, parse });
  await (await open()).close();
  const startMs = systemClock.monotonicMs();
  await fill(place);
  print(`${name}: ${jobCount} jobs made in ${Math.round((systemClock.monotonicMs() - startMs) / 1000)} s`);
  await using catalog = await open();
  for (const [title, ask] of Object.entries(questions)) {
    const times: number[] = [];
    for (let turn = 0; turn < repeats; turn++) {
      const beginMs = systemClock.monotonicMs();
      await ask(catalog, turn);
      times.push(systemClock.monotonicMs() - beginMs);
    }
    times.sort((one, other) => one - other);
    const at = (share: number) => times[Math.ceil(times.length * share) - 1]!.toFixed(1).padStart(8);
    print(`${title.padEnd(40)} p50 ${at(0.5)} ms  p95 ${at(0.95)} ms  max ${at(1)} ms`);
  }
  print(`${name}: resident ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const masterKeys = [newSealingKey(systemRandom)];
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-catalog-'));
const database = await startPostgres();
try {
  await measure('SQLite', { path: join(folder, 'catalog.sqlite') });
  await measure('PostgreSQL', { url: database.database() });
} finally {
  await database.stop();
  rmSync(folder, { recursive: true, force: true });
}
