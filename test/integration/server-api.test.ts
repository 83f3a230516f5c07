import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { seededRandom, systemClock } from '#base';
import {
  type Answer,
  type Asking,
  adminPassword,
  ask,
  type HoldfastServer,
  listen,
  type SignedIn,
  signedIn,
  startHoldfastServer,
} from '../servers/holdfast-server.ts';

const api = '/api/v1';
const canary = 'canary-7c1f-never-told';
let server: HoldfastServer;
let admin: SignedIn;
before(async () => {
  server = await startHoldfastServer();
  admin = await server.setUp();
});
after(() => server[Symbol.asyncDispose]());

type Need = 'open' | 'signed-in' | 'read' | 'run' | 'restore' | 'write' | 'admin' | 'metrics';

/** Who may do what, said once more than in the code: a route that is not here fails the test. */
const needs: Record<string, Need> = {
  'GET /healthz': 'open',
  'GET /readyz': 'open',
  'GET /api/v1/setup': 'open',
  'POST /api/v1/setup': 'open',
  'POST /api/v1/session': 'open',
  'GET /api/v1/session': 'signed-in',
  'DELETE /api/v1/session': 'signed-in',
  'GET /api/v1/overview': 'read',
  'GET /api/v1/plans': 'read',
  'POST /api/v1/plans': 'write',
  'GET /api/v1/plans/{name}': 'read',
  'PUT /api/v1/plans/{name}': 'write',
  'DELETE /api/v1/plans/{name}': 'write',
  'POST /api/v1/plans/{name}/runs': 'run',
  'POST /api/v1/plans/{name}/retention/preview': 'read',
  'GET /api/v1/jobs': 'read',
  'GET /api/v1/jobs/{id}': 'read',
  'GET /api/v1/jobs/{id}/log': 'read',
  'POST /api/v1/jobs/{id}/cancel': 'run',
  'GET /api/v1/activity': 'read',
  'GET /api/v1/events': 'read',
  'GET /api/v1/channels': 'write',
  'POST /api/v1/channels': 'write',
  'PUT /api/v1/channels/{name}': 'write',
  'DELETE /api/v1/channels/{name}': 'write',
  'POST /api/v1/channels/{name}/test': 'write',
  'GET /api/v1/channels/{name}/deliveries': 'write',
  'GET /api/v1/sources': 'read',
  'POST /api/v1/sources': 'write',
  'GET /api/v1/sources/{name}': 'read',
  'DELETE /api/v1/sources/{name}': 'write',
  'GET /api/v1/repositories': 'read',
  'POST /api/v1/repositories': 'write',
  'GET /api/v1/repositories/{name}': 'read',
  'POST /api/v1/repositories/{name}/look': 'run',
  'DELETE /api/v1/repositories/{name}': 'write',
  'POST /api/v1/storage/test': 'write',
  'GET /api/v1/snapshots': 'read',
  'GET /api/v1/repositories/{repository}/snapshots/{id}': 'read',
  'POST /api/v1/repositories/{repository}/snapshots/{id}/pins': 'run',
  'DELETE /api/v1/repositories/{repository}/snapshots/{id}/pins': 'run',
  'POST /api/v1/repositories/{repository}/snapshots/{id}/take-back': 'run',
  'GET /api/v1/repositories/{repository}/snapshots/{id}/entries': 'read',
  'GET /api/v1/repositories/{repository}/snapshots/{id}/file': 'restore',
  'GET /api/v1/repositories/{repository}/snapshots/{id}/archive': 'restore',
  'POST /api/v1/restores': 'restore',
  'GET /metrics': 'metrics',
  'GET /api/v1/config': 'read',
  'GET /api/v1/config/status': 'read',
  'POST /api/v1/config/validate': 'read',
  'POST /api/v1/config/diff': 'read',
  'GET /api/v1/discovered': 'read',
  'GET /api/v1/recovery-kit': 'admin',
  'GET /api/v1/recovery-kit/status': 'read',
  'GET /api/v1/users': 'admin',
  'POST /api/v1/users': 'admin',
  'PATCH /api/v1/users/{id}': 'admin',
  'POST /api/v1/secrets': 'write',
  'GET /api/v1/tokens': 'admin',
  'POST /api/v1/tokens': 'admin',
  'DELETE /api/v1/tokens/{id}': 'admin',
};

const rights: Record<string, readonly Need[]> = {
  viewer: ['read'],
  operator: ['read', 'run', 'restore'],
  editor: ['read', 'run', 'restore', 'write'],
  admin: ['read', 'run', 'restore', 'write', 'admin', 'metrics'],
};

interface Operation {
  /** `GET /api/v1/plans/{name}` */
  key: string;
  method: string;
  path: string;
  parameters: readonly { name: string; in: 'path' | 'query' | 'header' }[];
  hasBody: boolean;
}

async function operations(): Promise<Operation[]> {
  const { paths } = (await server.ask(`${api}/openapi.json`)).json<{
    paths: Record<string, Record<string, { parameters?: Operation['parameters']; requestBody?: object }>>;
  }>();
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
      key: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      parameters,
      hasBody: requestBody !== undefined,
    })),
  );
}

/** Of things that are not there, so that nothing happens. */
function emptyPath({ path }: Operation): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => (name === 'id' ? 'f'.repeat(64) : 'nobody'));
}

interface Caller {
  title: string;
  asking: Asking;
  may: ReadonlySet<Need>;
}

async function callers(): Promise<Caller[]> {
  const all: Caller[] = [];
  for (const [role, may] of Object.entries(rights)) {
    const password = `${role} and long enough`;
    const body = { username: `a-${role}`, password, role };
    assert.equal((await server.ask(`${api}/users`, { method: 'POST', body, session: admin })).status, 201);
    const body2 = { username: body.username, password };
    const session = signedIn(await server.ask(`${api}/session`, { method: 'POST', body: body2 }));
    all.push({ title: role, asking: { session }, may: new Set(may) });
    // Of the others one token will do: a scope never goes beyond the role.
    const scopes = role === 'admin' ? rights.admin! : role === 'viewer' ? ['admin' as const] : [];
    const { access, records } = server.service.context;
    const owner = (await records.users.findByName(body.username))!;
    for (const scope of scopes) {
      const { token } = await access.addToken(owner, { name: scope, scopes: [scope] });
      const left = may.filter((need) => need === scope || (need === 'read' && scope !== 'metrics'));
      all.push({ title: `a token of ${role} for ${scope}`, asking: { token }, may: new Set(left) });
    }
  }
  return all;
}

test('every route lets in who may, and nobody else: each role, and tokens of each scope', async () => {
  const found = await operations();
  assert.deepEqual(found.map(({ key }) => key).sort(), Object.keys(needs).sort());
  // Last, as it ends the session.
  found.sort(
    (one, other) =>
      Number(one.key.startsWith('DELETE /api/v1/session')) -
      Number(other.key.startsWith('DELETE /api/v1/session')),
  );
  const wrong: string[] = [];
  const everybody: Caller[] = [...(await callers()), { title: 'nobody', asking: {}, may: new Set() }];
  for (const { title, asking, may } of everybody)
    for (const operation of found) {
      const need = needs[operation.key]!;
      const { status } = await listen(server.service.url, emptyPath(operation), {
        ...asking,
        method: operation.method,
      });
      const isKnown = title !== 'nobody';
      const isAllowed = need === 'open' || (isKnown && (need === 'signed-in' || may.has(need)));
      const isRight = isAllowed
        ? status < 500 && status !== 403 && status !== 401
        : status === (isKnown ? 403 : 401);
      if (!isRight) wrong.push(`${title}: ${operation.key} gives ${status}`);
    }
  assert.deepEqual(wrong, []);
});

let snapshotPath: string;

test('a plan is made, run, and what it saved can be seen and downloaded', async () => {
  const spec = { kind: 'files', paths: [server.data] };
  assert.equal((await post('/sources', { name: 'shop', spec })).status, 201);
  const plan = { kind: 'backup', sources: ['shop'], repositories: ['this-machine'] };
  assert.equal((await post('/plans', { name: 'shop', spec: plan })).status, 201);
  const job = await untilEnded((await post('/plans/shop/runs')).json().id as string);
  assert.equal(job.state, 'succeeded', JSON.stringify(job));
  const { items } = (await get('/snapshots?plan=shop')).json<{ items: { id: string }[] }>();
  assert.equal(items.length, 1);
  snapshotPath = `/repositories/this-machine/snapshots/${items[0]!.id}`;
  const entries = (await get(`${snapshotPath}/entries?path=${server.data}`)).json<{ items: object[] }>();
  assert.deepEqual(
    entries.items.map((entry) => (entry as { name: string }).name),
    ['greeting.txt'],
  );
  const file = await get(`${snapshotPath}/file?path=${server.data}/greeting.txt`);
  assert.equal(file.text, 'hello');
  assert.equal(
    file.headers['content-disposition'],
    `attachment; filename="greeting.txt"; filename*=UTF-8''greeting.txt`,
  );
  const archive = await get(`${snapshotPath}/archive?path=${server.data}&format=tar`);
  assert.match(archive.text, /greeting\.txt[\s\S]*hello/);
});

test('a path leads nowhere but into the snapshot, and an asset not out of its folder', async () => {
  for (const path of ['/etc/passwd', `${server.data}/../../../etc/passwd`, '/../etc/passwd', '/%00'])
    for (const what of ['entries', 'file', 'archive']) {
      const answer = await get(`${snapshotPath}/${what}?path=${path}`);
      assert.ok([400, 404].includes(answer.status), `${what} of ${path}: ${answer.status} ${answer.text}`);
    }
  for (const path of [
    '/assets/..%2f..%2fpackage.json',
    '/assets/%2e%2e%2f%2e%2e%2fpackage.json',
    '/assets/../../package.json',
    '/..%2f..%2fetc%2fpasswd',
    '/assets/%00',
  ]) {
    const answer = await server.ask(path);
    assert.ok(answer.status < 500, `${path}: ${answer.status}`);
    assert.doesNotMatch(answer.text, /root:|"license"/);
  }
});

test('what is too long, too large or strange is refused with a problem', async () => {
  const cases: [string, number, Asking?][] = [
    [`/jobs/${'x'.repeat(300)}`, 404],
    ['/jobs/a%2Fb', 400],
    ['/jobs/%E0%A4%A', 400],
    ['/jobs/%00', 400],
    ['/plans/UPPER', 400],
    ['/snapshots?limit=0', 400],
    ['/snapshots?limit=201', 400],
    ['/snapshots?cursor=nonsense', 200],
    ['/activity?cursor=nonsense', 400],
    ['/jobs?state=happy', 400],
    ['/nothing', 404],
    ['/sources', 400, { method: 'POST', body: '{' }],
    ['/sources', 400, { method: 'POST', body: '' }],
    ['/sources', 413, { method: 'POST', body: JSON.stringify('x'.repeat(1024 * 1024)) }],
    ['/sources', 415, { method: 'POST', body: '<a/>', headers: { 'content-type': 'application/xml' } }],
    ['/sources', 400, { method: 'POST', body: '{"__proto__":{"x":1},"name":"x"}' }],
    ['/plans/shop/runs', 400, { method: 'POST', headers: { 'idempotency-key': 'with space' } }],
  ];
  for (const [path, status, asking] of cases) {
    const answer = await server.ask(api + path, { session: admin, ...asking });
    assert.equal(answer.status, status, `${path.slice(0, 40)}: ${answer.text.slice(0, 300)}`);
    if (status >= 400) assert.match(answer.headers['content-type']!, /^application\/problem\+json/, path);
  }
  const faults = (await post('/sources', { name: 'x', spec: { kind: 'files', paths: ['relative'] } })).json<{
    errors: { path: string; message: string }[];
  }>();
  assert.deepEqual(faults.errors, [{ path: 'spec.paths.0', message: 'write an absolute path' }]);
});

test('a request that is sent again with its key makes no second job', async () => {
  const first = (await run('again')).json();
  await untilEnded(first.id as string);
  assert.equal((await run('again')).json().id, first.id);
  const other = (await run('another')).json();
  assert.notEqual(other.id, first.id);
  await untilEnded(other.id as string);
});

test('a page of a list follows on the one before', async () => {
  const ids: string[] = [];
  let path = '/jobs?plan=shop&limit=1';
  for (let pages = 0; pages < 10; pages++) {
    const page = (await get(path)).json<{ items: { id: string }[]; next?: string }>();
    ids.push(...page.items.map(({ id }) => id));
    if (!page.next) break;
    path = `/jobs?plan=shop&limit=1&cursor=${page.next}`;
  }
  assert.equal(ids.length, 3);
  assert.deepEqual(ids, [...new Set(ids)].sort().reverse());
});

test('a change of what was changed meanwhile is refused', async () => {
  const plan = (await get('/plans/shop')).json<{ revision: number; spec: object }>();
  const put = (revision: string) =>
    server.ask(`${api}/plans/shop`, {
      method: 'PUT',
      body: { name: 'shop', spec: { ...plan.spec, description: revision } },
      headers: { 'if-match': revision },
      session: admin,
    });
  assert.equal((await put(`"${plan.revision}"`)).status, 200);
  assert.equal((await put(`"${plan.revision}"`)).status, 412);
  assert.equal((await put('"other"')).status, 412);
});

test('live events go on where they were, and say when they cannot', async () => {
  const first = await listen(server.service.url, `${api}/events`, { session: admin });
  assert.match(first.headers['content-type']!, /^text\/event-stream/);
  const hello = await first.untilText('"type":"hello"');
  const lastId = /^id: (\d+)/.exec(hello)![1]!;
  await first.close();
  await post('/sources', { name: 'made-meanwhile', spec: { kind: 'files', paths: ['/srv'] } });
  const second = await listen(server.service.url, `${api}/events`, {
    session: admin,
    headers: { 'last-event-id': lastId },
  });
  await second.untilText('{"type":"changed","noun":"source","name":"made-meanwhile"}');
  await second.close();
  const { journal } = server.service.context.records;
  const now = new Date(systemClock.nowMs() + 1000);
  await journal.prune({ changesBefore: now, eventsBefore: new Date(0) });
  const third = await listen(server.service.url, `${api}/events`, {
    session: admin,
    headers: { 'last-event-id': '1' },
  });
  await third.untilText('"type":"reset"');
  await third.close();
});

test('no secret is told: not in answers, events, logs, errors, nor in the database', async () => {
  const { reference } = (await post('/secrets', { secret: canary })).json() as { reference: string };
  const location = (await get('/repositories/this-machine')).json<{ spec: { location: string } }>().spec
    .location;
  const refused = await post('/repositories', { name: 'twice', spec: { location, password: reference } });
  assert.equal(refused.json().code, 'repository.wrong-password', refused.text);
  const { token } = (await post('/tokens', { name: 'canary', scopes: ['read'] })).json() as { token: string };
  assert.equal((await server.ask(`${api}/plans`, { token })).status, 200);
  const { records, surroundings } = server.service.context;
  const own = (await records.repositories.get('this-machine')).spec.password;
  const secrets = {
    canary,
    adminPassword,
    token,
    cookie: admin.cookie.split('=')[1]!,
    repositoryPassword: await surroundings.secret(own),
  };
  const told = new Map<string, Buffer>([['the log', Buffer.from(server.problems.join('\n'))]]);
  // The recovery kit is there to tell them, to administrators.
  for (const operation of await operations())
    if (operation.method === 'GET' && !/\/(events|recovery-kit)$/.test(operation.path))
      told.set(operation.key, Buffer.from((await server.ask(emptyPath(operation), { session: admin })).text));
  for (const { id } of (await records.jobs.list({}, { limit: 100 })).items)
    told.set(`job ${id}`, Buffer.from((await get(`/jobs/${id}/log`)).text));
  for (const name of readdirSync(server.home))
    if (name.includes('.sqlite')) told.set(name, readFileSync(join(server.home, name)));
  assert.ok(told.has('catalog.sqlite') && told.has('engine.sqlite') && told.size > 30);
  for (const [place, bytes] of told)
    for (const [name, secret] of Object.entries(secrets))
      assert.ok(!bytes.includes(secret), `${name} is told by ${place}`);
});

test('whatever is sent, the server answers, and never with a fault of its own', async () => {
  const random = seededRandom(7);
  const pick = <T>(items: readonly T[]): T => items[random.below(items.length)]!;
  const texts = [
    '',
    '0',
    '-1',
    '1e99',
    'null',
    'ä\u0000',
    '%',
    "'; DROP TABLE jobs;--",
    '../..',
    'x'.repeat(5000),
    '🙂',
    '[object Object]',
    '\u202e',
    '9007199254740993',
    'NaN',
    'true',
  ];
  const values: unknown[] = [
    null,
    true,
    -1,
    1.5,
    1e308,
    '',
    'text',
    [],
    {},
    [null],
    { a: { b: [1] } },
    ...texts,
  ];
  const faults: string[] = [];
  const found = (await operations()).filter(({ path }) => !/\/(events|session|setup)$/.test(path));
  for (let count = 0; count < 300; count++) {
    const operation = found[count % found.length]!;
    const path = operation.path.replaceAll(/\{\w+\}/g, () =>
      encodeURIComponent(pick(['shop', 'f'.repeat(64), ...texts])),
    );
    const query = operation.parameters
      .filter((parameter) => parameter.in === 'query')
      .map(({ name }) => `${name}=${encodeURIComponent(pick(texts))}`);
    const names = [
      'name',
      'spec',
      'keep',
      'repository',
      'kind',
      'role',
      'password',
      'location',
      'secret',
      'note',
    ];
    const body = pick([pick(values), Object.fromEntries([0, 1, 2].map(() => [pick(names), pick(values)]))]);
    const { status, text } = await ask(server.service.url, `${path}?${query.join('&')}`, {
      method: operation.method,
      session: admin,
      ...(operation.hasBody && { body: JSON.stringify(body) }),
    });
    if (status >= 500) faults.push(`${operation.method} ${path}?${query} ${JSON.stringify(body)}: ${text}`);
  }
  assert.deepEqual(faults, []);
  assert.deepEqual(server.problems, []);
});

function get(path: string): Promise<Answer> {
  return server.ask(api + path, { session: admin });
}

function post(path: string, body?: unknown): Promise<Answer> {
  return server.ask(api + path, { method: 'POST', body, session: admin });
}

function run(key: string): Promise<Answer> {
  const headers = { 'idempotency-key': key };
  return server.ask(`${api}/plans/shop/runs`, { method: 'POST', headers, session: admin });
}

async function untilEnded(id: string): Promise<Record<string, unknown>> {
  for (;;) {
    const answer = await get(`/jobs/${id}`);
    assert.equal(answer.status, 200, answer.text);
    const job = answer.json();
    if (job.endedAt) return job;
    await systemClock.sleep(50);
  }
}
