import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type Answer,
  adminPassword,
  type HoldfastServer,
  type SignedIn,
  signedIn,
  startHoldfastServer,
} from '../servers/holdfast-server.ts';

const api = '/api/v1';
const hourMs = 3_600_000;
let server: HoldfastServer;
before(async () => {
  server = await startHoldfastServer();
});
after(() => server[Symbol.asyncDispose]());

let admin: SignedIn;

/** Every error is a problem of RFC 9457 with a stable code. */
function assertProblem(answer: Answer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/);
  const problem = answer.json();
  assert.equal(problem.code, code);
  assert.equal(problem.status, status);
  assert.equal(problem.type, `urn:holdfast:error:${code}`);
  for (const member of ['title', 'detail', 'hint', 'requestId'])
    assert.equal(typeof problem[member], 'string', member);
}

test('before the setup every route is closed, but for the setup itself', async () => {
  assert.deepEqual((await server.ask(`${api}/setup`)).json(), { isNeeded: true });
  for (const path of ['/plans', '/session', '/events', '/users'])
    assertProblem(await server.ask(api + path), 403, 'access.setup-first');
  assertProblem(await signIn('ada', adminPassword), 401, 'access.wrong-password');
});

test('a setup link works once, for one hour, and only the newest', async () => {
  const { access } = server.service.context;
  const setUp = (token: string) =>
    server.ask(`${api}/setup`, {
      method: 'POST',
      body: { token, username: 'ada', password: adminPassword },
    });
  assertProblem(await setUp('a'.repeat(43)), 403, 'access.setup-link');
  const replaced = await access.issueSetupToken();
  const late = await access.issueSetupToken();
  assertProblem(await setUp(replaced), 403, 'access.setup-link');
  server.passTime(hourMs + 1);
  assertProblem(await setUp(late), 403, 'access.setup-link');
  const token = await access.issueSetupToken();
  const both = await Promise.all([setUp(token), setUp(token)]);
  // Who comes second is told that the link is used up, or that there is somebody by now.
  assert.match(
    both
      .map(({ status }) => status)
      .sort()
      .join(),
    /^201,40[39]$/,
  );
  admin = signedIn(both.find(({ status }) => status === 201)!);
  assertProblem(await setUp(token), 403, 'access.setup-link');
  assertProblem(await setUp(await access.issueSetupToken()), 409, 'catalog.exists');
});

test('the cookie is for our pages only, and of https alone where a proxy speaks it', async () => {
  const plain = await signIn('ada', adminPassword);
  const [cookie] = plain.headers['set-cookie']!;
  assert.match(cookie!, /^holdfast_session=[\w-]{43}; Max-Age=1209600; Path=\/; HttpOnly; SameSite=Strict$/);
  const proxied = await signIn('ada', adminPassword, { 'x-forwarded-proto': 'https' });
  assert.match(proxied.headers['set-cookie']![0]!, /; Secure/);
  for (const [name, value] of Object.entries({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  }))
    assert.equal(plain.headers[name], value);
  assert.match(plain.headers['content-security-policy'] as string, /frame-ancestors 'none'/);
});

test('a session that somebody planted is not the one that signing in gives', async () => {
  const planted = { cookie: 'holdfast_session=planted', csrfToken: 'planted' };
  assertProblem(await server.ask(`${api}/session`, { session: planted }), 401, 'access.sign-in');
  const answer = await server.ask(`${api}/session`, {
    method: 'POST',
    body: { username: 'ada', password: adminPassword },
    session: planted,
  });
  assert.notEqual(signedIn(answer).cookie, planted.cookie);
  assertProblem(await server.ask(`${api}/session`, { session: planted }), 401, 'access.sign-in');
});

test('who signs out is out, elsewhere stays in; a session ends by itself', async () => {
  const one = signedIn(await signIn('ada', adminPassword));
  const left = await server.ask(`${api}/session`, { method: 'DELETE', session: one });
  assert.equal(left.status, 204);
  assert.match(left.headers['set-cookie']![0]!, /^holdfast_session=; .*Expires=Thu, 01 Jan 1970/);
  assertProblem(await server.ask(`${api}/plans`, { session: one }), 401, 'access.sign-in');
  assert.equal((await server.ask(`${api}/plans`, { session: admin })).status, 200);
  server.passTime(14 * 24 * hourMs + 1);
  assertProblem(await server.ask(`${api}/plans`, { session: admin }), 401, 'access.sign-in');
  admin = signedIn(await signIn('ada', adminPassword));
});

test('a page of somebody else cannot change anything', async () => {
  const body = { secret: 'word' };
  for (const csrfToken of ['', 'x'.repeat(43)])
    assertProblem(
      await server.ask(`${api}/secrets`, { method: 'POST', body, session: { ...admin, csrfToken } }),
      403,
      'access.csrf',
    );
  // What a form can send without asking is not taken for JSON.
  const form = await server.ask(`${api}/secrets`, {
    method: 'POST',
    body: '{"secret":"word"}',
    session: admin,
    headers: { 'content-type': 'text/plain' },
  });
  assert.equal(form.status, 415);
  assert.equal((await server.ask(`${api}/secrets`, { method: 'POST', body, session: admin })).status, 201);
});

test('guessing is slowed down, by user and by address, and says how long', async () => {
  const tries = [];
  for (let i = 0; i < 7; i++) tries.push(await signIn('ada', `wrong ${i}`, from('198.51.100.1')));
  assert.deepEqual(
    tries.map(({ status }) => status),
    [401, 401, 401, 401, 401, 429, 429],
  );
  assertProblem(tries[5]!, 429, 'access.too-many-tries');
  assert.equal(tries[5]!.headers['retry-after'], '2');
  // The right password too, and from elsewhere: what is guarded is the user.
  assert.equal((await signIn('ada', adminPassword, from('203.0.113.9'))).status, 429);
  // Somebody else from there.
  assert.equal((await signIn('grace', 'whatever', from('198.51.100.1'))).status, 429);
  server.passTime(2000);
  assert.equal((await signIn('ada', 'wrong again', from('198.51.100.1'))).status, 401);
  assert.equal((await signIn('ada', adminPassword)).headers['retry-after'], '4');
  server.passTime(4000);
  assert.equal((await signIn('ada', adminPassword)).status, 201);
});

test('a server that is not asked by its own name does not answer', async () => {
  for (const host of ['evil.example.com', 'localhost.evil.example.com', '127.0.0.1.nip.io'])
    assertProblem(await server.ask('/healthz', { headers: { host } }), 421, 'server.host');
  for (const host of ['localhost:7373', '127.0.0.1', '[::1]:7373', 'Backup.example.org'])
    assert.equal((await server.ask('/healthz', { headers: { host } })).status, 200, host);
});

test('a token acts within its scopes until it ends or is taken away, without a page of ours', async () => {
  const made = await newToken({ name: 'ci', scopes: ['run'] });
  const { token } = made;
  assert.match(token, /^hf_[\w-]{43}$/);
  assert.equal((await server.ask(`${api}/plans`, { token })).status, 200);
  assertProblem(
    await server.ask(`${api}/secrets`, { method: 'POST', body: { secret: 'x' }, token }),
    403,
    'access.forbidden',
  );
  assertProblem(await server.ask(`${api}/plans`, { token: `${token}x` }), 401, 'access.sign-in');
  const { items } = (await server.ask(`${api}/tokens`, { session: admin })).json<{ items: object[] }>();
  assert.ok(!JSON.stringify(items).includes(token));
  server.passTime(90 * 24 * hourMs + 1);
  assertProblem(await server.ask(`${api}/plans`, { token }), 401, 'access.sign-in');
  admin = signedIn(await signIn('ada', adminPassword));
  const other = await newToken({ name: 'ci', scopes: ['admin'] });
  assert.equal((await server.ask(`${api}/users`, { token: other.token })).status, 200);
  await server.ask(`${api}/tokens/${other.id}`, { method: 'DELETE', session: admin });
  assertProblem(await server.ask(`${api}/users`, { token: other.token }), 401, 'access.sign-in');
});

test('who is disabled or gets another role is out at once, with tokens', async () => {
  const body = { username: 'grace', password: 'long enough for us', role: 'admin' };
  const { id } = (await server.ask(`${api}/users`, { method: 'POST', body, session: admin })).json<{
    id: string;
  }>();
  const grace = signedIn(await signIn('grace', body.password));
  const token = (
    await server.ask(`${api}/tokens`, {
      method: 'POST',
      body: { name: 'hers', scopes: ['admin'] },
      session: grace,
    })
  ).json<{ token: string }>().token;
  const change = (body: object) =>
    server.ask(`${api}/users/${id}`, { method: 'PATCH', body, session: admin });
  assert.equal((await change({ role: 'viewer' })).status, 200);
  assertProblem(await server.ask(`${api}/plans`, { session: grace }), 401, 'access.sign-in');
  assertProblem(await server.ask(`${api}/users`, { token }), 403, 'access.forbidden');
  assert.equal((await change({ isDisabled: true })).status, 200);
  assertProblem(await server.ask(`${api}/plans`, { token }), 401, 'access.sign-in');
  assertProblem(await signIn('grace', body.password), 401, 'access.wrong-password');
  const me = (await server.ask(`${api}/session`, { session: admin })).json<{ user: { id: string } }>();
  assertProblem(
    await server.ask(`${api}/users/${me.user.id}`, {
      method: 'PATCH',
      body: { role: 'viewer' },
      session: admin,
    }),
    403,
    'access.forbidden',
  );
});

test('nothing of this was unforeseen', () => assert.deepEqual(server.problems, []));

function signIn(username: string, password: string, headers: Record<string, string> = {}): Promise<Answer> {
  return server.ask(`${api}/session`, { method: 'POST', body: { username, password }, headers });
}

/** As a proxy on this machine says it. */
function from(address: string): Record<string, string> {
  return { 'x-forwarded-for': address };
}

async function newToken(body: object): Promise<{ id: string; token: string }> {
  const answer = await server.ask(`${api}/tokens`, { method: 'POST', body, session: admin });
  assert.equal(answer.status, 201, answer.text);
  return answer.json();
}
