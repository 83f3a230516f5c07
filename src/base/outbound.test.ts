import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { after, before, test } from 'node:test';
import { makeCertificate } from '../../test/servers/certificate.ts';
import { type OutboundPolicy, outboundPolicy, type Resolver, resolveOutbound } from './outbound.ts';
import { connectOutbound, fetchOutbound } from './outbound-connect.ts';

const internet = outboundPolicy({ privateAddresses: false });
const everything = outboundPolicy({ privateAddresses: true });
const to =
  (...addresses: string[]): Resolver =>
  async () =>
    addresses;
const secret = 'T0KEN';

let near: Place;
let other: Place;
before(async () => {
  near = await serve(answerByPath);
  other = await serve((_, answer) => answer.end('the other one'), '127.0.0.2');
});
after(() => Promise.all([near.stop(), other.stop()]));

interface Place {
  port: number;
  requests: { url: string; headers: Record<string, unknown> }[];
  stop(): Promise<void>;
}

async function serve(listener: RequestListener, address = '127.0.0.1', port = 0): Promise<Place> {
  const requests: Place['requests'] = [];
  const server = createServer((request, answer) => {
    requests.push({ url: request.url!, headers: request.headers });
    listener(request, answer);
  }).listen(port, address);
  return { port: await portOf(server), requests, stop: () => stop(server) };
}

async function portOf(server: Server): Promise<number> {
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

async function stop(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}

function answerByPath({ url }: IncomingMessage, answer: Parameters<RequestListener>[1]): void {
  const [path, to] = url!.split('?to=') as [string, string?];
  if (path === '/hang') return;
  if (path === '/reset') answer.socket!.destroy();
  else if (path === '/drip') answer.write('drop');
  else if (path === '/large') answer.end(Buffer.alloc(1024 * 1024, 'x'));
  else if (path === '/redirect') answer.writeHead(302, { location: decodeURIComponent(to!) }).end();
  else answer.end('here');
}

const url = (host: string, path = `/${secret}`): string => `http://${host}:${near.port}${path}`;
const refused = (policy: OutboundPolicy, host: string, resolve?: Resolver): Promise<void> =>
  assert.rejects(fetchOutbound(url(host), { policy, resolve }), {
    code: 'outbound.forbidden',
    message: /^((?!T0KEN).)*$/,
  });

test('reaches what the policy allows', async () => {
  for (const [host, policy] of [
    ['127.0.0.1', everything],
    ['127.0.0.1', outboundPolicy({ privateAddresses: false, allow: ['127.0.0.0/8'] })],
    ['hook.example', outboundPolicy({ privateAddresses: false, allow: ['Hook.example.'] })],
    ['hook.example', outboundPolicy({ privateAddresses: false, allow: ['127.0.0.1'] })],
  ] as const) {
    const answer = await fetchOutbound(url(host, '/a?b=c'), { policy, resolve: to('127.0.0.1') });
    assert.equal(Buffer.from(answer.body).toString(), 'here');
    assert.equal(answer.status, 200);
    assert.equal(near.requests.at(-1)!.url, '/a?b=c');
    assert.equal(near.requests.at(-1)!.headers.host, `${host}:${near.port}`);
  }
});

test('refuses this machine in every notation', async () => {
  const count = near.requests.length;
  for (const host of [
    ...['127.0.0.1', '2130706433', '0177.0.0.1', '0x7f.1', '127.1', '0x7f000001', '127.0.0.1.'],
    ...['[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:7f00:0001]', '0.0.0.0', '[::]'],
    ...['localhost', 'localhost.', 'LOCALHOST', '%6cocalhost', '①②⑦.0.0.1'],
  ])
    await refused(internet, host);
  assert.equal(near.requests.length, count);
});

test('refuses metadata services and addresses that are none even where private ones are allowed', async () => {
  for (const host of ['169.254.169.254', '[fd00:ec2::254]', '0.0.0.0', '169.254.3.4', '224.0.0.1'])
    await refused(everything, host);
  const named = outboundPolicy({ privateAddresses: false, allow: ['169.254.169.254'] });
  assert.deepEqual((await resolveOutbound('169.254.169.254', { policy: named })).addresses, [
    '169.254.169.254',
  ]);
});

test('refuses a host one of whose addresses is forbidden', async () => {
  await refused(internet, 'hook.example', to('93.184.215.14', '10.0.0.1'));
  await refused(internet, 'hook.example', to('::ffff:10.0.0.1'));
});

test('connects to the address that was checked, whatever the name leads to a moment later', async () => {
  const twin = await serve((_, answer) => answer.end('the wrong one'), '127.0.0.3', near.port);
  const policy = outboundPolicy({ privateAddresses: false, allow: ['127.0.0.1'] });
  let lookups = 0;
  const resolve: Resolver = async () => (lookups++ === 0 ? ['127.0.0.1'] : ['127.0.0.3']);
  const answer = await fetchOutbound(url('rebind.example'), { policy, resolve });
  assert.equal(Buffer.from(answer.body).toString(), 'here');
  assert.equal(lookups, 1);
  lookups = 0;
  const socket = await connectOutbound({ host: 'rebind.example', port: near.port }, { policy, resolve });
  assert.equal(socket.remoteAddress, '127.0.0.1');
  socket.destroy();
  assert.equal(lookups, 1);
  assert.equal(twin.requests.length, 0);
  await twin.stop();
});

test('gives a redirect back unless it may be followed', async () => {
  const start = url('127.0.0.1', `/redirect?to=${encodeURIComponent('/end')}`);
  assert.equal((await fetchOutbound(start, { policy: everything })).status, 302);
  const answer = await fetchOutbound(start, { policy: everything, redirectsMax: 1 });
  assert.equal(Buffer.from(answer.body).toString(), 'here');
  const twice = url('127.0.0.1', `/redirect?to=${encodeURIComponent(start)}`);
  await assert.rejects(fetchOutbound(twice, { policy: everything, redirectsMax: 1 }), {
    code: 'outbound.redirect',
  });
  const posted = fetchOutbound(start, { policy: everything, redirectsMax: 1, method: 'POST', body: '{}' });
  await assert.rejects(posted, { code: 'outbound.redirect' });
});

test('checks where a redirect leads, and keeps headers from other hosts', async () => {
  const policy = outboundPolicy({ privateAddresses: false, allow: ['hook.example'] });
  const options = { policy, redirectsMax: 3, resolve: to('127.0.0.1'), headers: { authorization: secret } };
  for (const target of ['http://169.254.169.254/latest/', 'http://127.0.0.1/', 'http://2130706433/'])
    await assert.rejects(
      fetchOutbound(url('hook.example', `/redirect?to=${encodeURIComponent(target)}`), options),
      { code: 'outbound.forbidden' },
    );
  await assert.rejects(fetchOutbound(url('hook.example', '/redirect?to=file%3A%2F%2F%2Fetc'), options), {
    code: 'outbound.url',
  });
  const away = `/redirect?to=${encodeURIComponent(`http://127.0.0.2:${other.port}/`)}`;
  const answer = await fetchOutbound(url('hook.example', away), { ...options, policy: everything });
  assert.equal(Buffer.from(answer.body).toString(), 'the other one');
  assert.equal(other.requests.at(-1)!.headers.authorization, undefined);
});

test('stops waiting after its time, at every stage, and says so', async () => {
  const options = { policy: everything, timeoutMs: 60 };
  const late = { code: 'outbound.timeout', message: /^((?!T0KEN).)*$/ };
  await assert.rejects(fetchOutbound(url('127.0.0.1', '/hang'), options), late);
  await assert.rejects(fetchOutbound(url('127.0.0.1', '/drip'), options), late);
  const resolve: Resolver = () => new Promise(() => {});
  await assert.rejects(fetchOutbound(url('hook.example'), { ...options, resolve }), late);
});

test('stops at once when its signal says so', async () => {
  const stopping = new AbortController();
  const waiting = fetchOutbound(url('127.0.0.1', '/hang'), { policy: everything, signal: stopping.signal });
  stopping.abort(new Error('enough'));
  await assert.rejects(waiting, { message: 'enough' });
  await assert.rejects(
    fetchOutbound(url('127.0.0.1'), { policy: everything, signal: AbortSignal.abort(new Error('before')) }),
    { message: 'before' },
  );
});

test('reads no more of an answer than it may', async () => {
  const answer = await fetchOutbound(url('127.0.0.1', '/large'), { policy: everything, bodyBytesMax: 1000 });
  assert.equal(answer.body.length, 1000);
  assert.equal(answer.isCut, true);
});

test('tells why nobody answers, without the secret of a URL', async () => {
  const closed = await serve(() => {});
  await closed.stop();
  const silent = /^((?!T0KEN).)*$/;
  for (const [target, code] of [
    [`http://user:${secret}@127.0.0.1:${closed.port}/${secret}`, 'outbound.unreachable'],
    [url('127.0.0.1', '/reset'), 'outbound.unreachable'],
    [`ftp://127.0.0.1/${secret}`, 'outbound.url'],
    [`not a URL ${secret}`, 'outbound.url'],
    [`http://nobody.invalid/${secret}`, 'outbound.unreachable'],
  ] as const)
    await assert.rejects(fetchOutbound(target, { policy: everything }), { code, message: silent });
  for (const host of ['', 'a b', 'user@host', 'host/path', 'host:80', '1.2.3.4.5'])
    await assert.rejects(resolveOutbound(host, { policy: everything }), { code: 'outbound.url' }, host);
});

test('trusts over TLS whom it knows, by the name that was entered', async () => {
  const { cert, key } = makeCertificate('hook.example');
  const server = createSecureServer({ cert, key }, (_, answer) => answer.end('secure')).listen(
    0,
    '127.0.0.1',
  );
  const port = await portOf(server);
  const options = { policy: everything, resolve: to('127.0.0.1') };
  const known = { ...options, certificates: [cert] };
  const answer = await fetchOutbound(`https://hook.example:${port}/`, known);
  assert.equal(Buffer.from(answer.body).toString(), 'secure');
  const untrusted = { code: 'outbound.untrusted' };
  await assert.rejects(fetchOutbound(`https://wrong.example:${port}/`, known), untrusted);
  await assert.rejects(fetchOutbound(`https://hook.example:${port}/`, options), untrusted);
  await stop(server);
});
