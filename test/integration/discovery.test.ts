import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Discovered, discoverHost } from '#discovery';
import { holdfast, jsonLines } from '../command/holdfast.ts';
import { startMongoServer } from '../servers/mongo-java-server.ts';
import { startNginx } from '../servers/nginx.ts';
import { startPostgres } from '../servers/postgres.ts';
import { startRedis } from '../servers/redis.ts';

/** An empty place for `/`, so that nothing of this machine but its processes is found. */
const root = mkdtempSync(join(tmpdir(), 'holdfast-discover-'));
after(() => rmSync(root, { recursive: true, force: true }));

const onPort = (found: readonly Discovered[], port: number): Discovered | undefined =>
  found.find(({ details }) => details.port === port);

test('real servers are found by their processes, with version, data folder and what to protect', async () => {
  const [redis, guarded, postgres] = await Promise.all([
    startRedis(),
    startRedis('r3dis-s3cret'),
    startPostgres(),
  ]);
  try {
    const { found } = await discoverHost({ root, environment: {} });
    const open = onPort(found, redis.port)!;
    assert.match(open.name, /^Redis \d+\.\d+/);
    assert.equal(open.suggestion, `redis://127.0.0.1:${redis.port}`);
    assert.equal(open.confidence, 'certain');
    assert.equal(open.details.dataFolder, redis.folder);
    assert.equal(open.details.isOpen, false);
    const closed = onPort(found, guarded.port)!;
    assert.equal(closed.kind, 'redis');
    assert.equal(closed.details.needsLogin, true);
    const { port, pathname } = new URL(postgres.database());
    assert.notEqual(pathname, '');
    const server = onPort(found, Number(port))!;
    assert.equal(server.kind, 'postgres');
    assert.equal(server.suggestion, `postgres://127.0.0.1:${port}`);
    assert.match(String(server.details.dataFolder), /holdfast-postgres-.*\/data$/);
    assert.doesNotMatch(JSON.stringify(found), /r3dis-s3cret|postgres-secret/);
  } finally {
    await Promise.all([redis.stop(), guarded.stop(), postgres.stop()]);
  }
});

test('a MongoDB of another name is found on a port that is given, and a silent server costs no hang', async () => {
  const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const mongo = await startMongoServer();
  try {
    const { found } = await discoverHost({ root, environment: {}, alsoPorts: [mongo.port, port] });
    const server = onPort(found, mongo.port)!;
    assert.equal(server.kind, 'mongodb');
    assert.match(server.name, /^MongoDB 5\.0\.0/);
    assert.equal(server.suggestion, `mongodb://127.0.0.1:${mongo.port}`);
    assert.equal(onPort(found, port), undefined);
    const without = await discoverHost({ root, environment: {} });
    assert.equal(onPort(without.found, mongo.port), undefined);
  } finally {
    silent.close();
    await mongo.stop();
  }
});

test('sites of a running nginx are found, those of included files too, and the command tells them', async () => {
  const site = mkdtempSync(join(tmpdir(), 'holdfast-site-'));
  mkdirSync(join(site, 'uploads'));
  writeFileSync(join(site, 'uploads', 'picture'), Buffer.alloc(1000));
  const nginx = await startNginx({
    server: `server_name shop.example "www.shop.example"; # a comment; with { signs
      root ${site}; location /api/ { proxy_pass http://127.0.0.1:3000/; }`,
    included:
      'server { listen 127.0.0.1:PORT; server_name blog.example; location / { proxy_pass http://127.0.0.1:3001; } }',
  });
  try {
    const run = holdfast(['source', 'discover', '--json']);
    assert.equal(run.status, 0, run.stderr);
    const found = jsonLines(run.stdout) as unknown as (Discovered & { message_type: string })[];
    const shop = found.find(({ name }) => name === 'shop.example')!;
    assert.equal(shop.message_type, 'found');
    assert.equal(shop.suggestion, site);
    assert.equal(shop.details.serverNames, 'shop.example, www.shop.example');
    assert.equal(shop.details.passesTo, 'http://127.0.0.1:3000/');
    assert.equal(found.find(({ name }) => name === 'blog.example')!.where, 'http://127.0.0.1:3001');
    const uploads = found.find(({ name }) => name === join(site, 'uploads'))!;
    assert.deepEqual(uploads.details, { sizeBytes: 1000, fileCount: 1, isSizeComplete: true });
    const text = holdfast(['source', 'discover']).stdout;
    assert.match(text, /^site +shop\.example/m);
    assert.match(text, /nothing was changed/);
    assert.equal(holdfast(['source', 'discover', '--port', 'many']).status, 2);
  } finally {
    await nginx.stop();
    rmSync(site, { recursive: true, force: true });
  }
});
