import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Clock, systemClock } from '#base';
import {
  type Answer,
  type HoldfastServer,
  type SignedIn,
  startHoldfastServer,
} from '../servers/holdfast-server.ts';

const api = '/api/v1';
let folder: string;
let file: string;
let server: HoldfastServer;
let admin: SignedIn;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-follow-'));
  file = join(folder, 'holdfast.yaml');
  writeFileSync(join(folder, 'password'), 'kept in a file');
  writeFileSync(file, text({ plan: 'shop', daily: '02:30' }));
  // So that nobody waits for the next look at the file.
  const clock: Clock = {
    ...systemClock,
    sleep: (durationMs, options) => systemClock.sleep(Math.min(durationMs, 100), options),
  };
  server = await startHoldfastServer({ configFile: file, clock });
  admin = await server.setUp();
});
after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function text({ plan, daily }: { plan: string; daily: string }): string {
  return `version: 1
settings: { allowedHosts: [holdfast.example.org] }
repositories:
  nas: { location: ${folder}/nas, password: "file:${folder}/password" }
sources:
  files: { kind: files, paths: [${folder}/data] }
plans:
  ${plan}:
    sources: [files]
    repositories: [nas]
    schedule: { daily: "${daily}" }
`;
}

test('what the file says holds, is made, and is read-only everywhere else', async () => {
  const plan = (await get('/plans/shop')).json<{ origin: object; spec: object }>();
  assert.deepEqual(plan.origin, { from: 'file', line: 8 });
  const { status } = (await get('/repositories/nas')).json<{ status: { state: string } }>();
  assert.equal(status.state, 'ready');
  const { headers } = { headers: { host: 'holdfast.example.org' } };
  assert.equal((await server.ask('/healthz', { headers })).status, 200);
  for (const path of ['/plans/shop', '/sources/files', '/repositories/nas']) {
    const answer = await server.ask(api + path, { method: 'DELETE', session: admin });
    assert.equal(answer.json().code, 'server.read-only', answer.text);
  }
});

test('a text can be checked and compared before it is the file', async () => {
  const faulty = (
    await post('/config/validate', { text: 'version: 1\nplans: { shop: { keep: {} } }\n' })
  ).json<{
    faults: { line: number; path: string }[];
  }>();
  assert.ok(faulty.faults.length > 0);
  assert.equal(faulty.faults[0]!.line, 2);
  const diff = (await post('/config/diff', { text: text({ plan: 'store', daily: '02:30' }) })).json<{
    changes: { action: string; section: string; name: string }[];
    lines: string[];
  }>();
  assert.deepEqual(
    diff.changes.map(({ action, section, name }) => `${action} ${section} ${name}`),
    ['add plans store', 'remove plans shop'],
  );
  assert.deepEqual(diff.lines, ['+ plan store', '- plan shop']);
});

test('a change of the file is taken by itself; a faulty one is told, and the one before holds', async () => {
  writeFileSync(file, `${text({ plan: 'shop', daily: '25:00' })}`);
  const refused = await untilRead(({ isTaken }) => !isTaken);
  assert.equal(refused.faults[0]!.line, 11);
  const events = (await get('/activity')).json<{ items: { type: string; message: string }[] }>();
  assert.match(
    events.items.find(({ type }) => type === 'config.refused')!.message,
    /:11:\d+: .*still holds$/,
  );
  assert.equal((await get('/plans/shop')).status, 200);
  writeFileSync(file, text({ plan: 'store', daily: '04:00' }));
  await untilRead(({ isTaken }) => isTaken);
  assert.equal((await get('/plans/shop')).status, 404);
  assert.equal((await get('/plans/store')).status, 200);
  const exported = await get('/config');
  assert.match(exported.headers['content-type']!, /^application\/yaml/);
  assert.match(exported.text, /store:[\s\S]*daily: "?04:00/);
});

test('the recovery kit opens what there is, is for administrators, and goes stale', async () => {
  const stale = (await get('/recovery-kit/status')).json<{ isStale: boolean }>();
  assert.equal(stale.isStale, true);
  const kit = await get('/recovery-kit?format=text');
  assert.match(kit.text, /kept in a file/);
  const { surroundings, records } = server.service.context;
  const own = (await records.repositories.get('this-machine')).spec.password;
  assert.ok(kit.text.includes(await surroundings.secret(own)));
  assert.match(kit.text, /^ {4}[0-9a-f]{8} [A-Za-z0-9+/]{43}=$/m);
  assert.equal(kit.headers['cache-control'], 'no-store');
  assert.match((await get('/recovery-kit')).text, /^<!doctype html>/);
  const fresh = (await get('/recovery-kit/status')).json<{ isStale: boolean }>();
  assert.equal(fresh.isStale, false);
  const { items } = await records.audit.list({}, { limit: 10 });
  assert.equal(items[0]!.body.action, 'recovery-kit.made');
  const spec = { location: join(folder, 'second'), password: `file:${folder}/password` };
  assert.equal((await post('/repositories', { name: 'second', spec })).status, 201);
  const later = (await get('/recovery-kit/status')).json<{ reasons: string[] }>();
  assert.deepEqual(later.reasons, ['the repository second was added since']);
});

test('metrics are for tokens of that scope, and tell of each plan', async () => {
  const { token } = (await post('/tokens', { name: 'prometheus', scopes: ['metrics'] })).json() as {
    token: string;
  };
  const metrics = await server.ask('/metrics', { token });
  assert.match(metrics.headers['content-type']!, /^text\/plain; version=0\.0\.4/);
  assert.match(metrics.text, /^holdfast_plan_late\{plan="store",kind="backup"\} 0$/m);
  assert.match(metrics.text, /^holdfast_repository_used_bytes\{repository="nas"\} \d+$/m);
  for (const line of metrics.text.trimEnd().split('\n'))
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.e+-]+)$/);
  assert.equal((await server.ask(`${api}/plans`, { token })).status, 403);
});

interface Status {
  isTaken: boolean;
  faults: { line: number }[];
}

async function untilRead(isIt: (last: Status) => boolean): Promise<Status> {
  for (;;) {
    const { last } = (await get('/config/status')).json<{ last: Status }>();
    if (isIt(last)) return last;
    await systemClock.sleep(100);
  }
}

function get(path: string): Promise<Answer> {
  return server.ask(api + path, { session: admin });
}

function post(path: string, body: unknown): Promise<Answer> {
  return server.ask(api + path, { method: 'POST', body, session: admin });
}
