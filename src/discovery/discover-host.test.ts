import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { type DiscoverOptions, discoverHost } from './discover-host.ts';
import type { Discovered, HostFindings } from './discovered.ts';

const top = mkdtempSync(join(tmpdir(), 'holdfast-discover-'));
after(() => rmSync(top, { recursive: true, force: true }));

/** A host of these files: path → text. */
function plant(files: Record<string, string>): string {
  const root = mkdtempSync(join(top, 'root-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const emptyProc = plant({ 'net/tcp': '', 'net/tcp6': '' });

function discover(files: Record<string, string>, options: DiscoverOptions = {}): Promise<HostFindings> {
  return discoverHost({ root: plant(files), proc: emptyProc, environment: {}, ...options });
}

const named = (found: readonly Discovered[], name: string): Discovered =>
  found.find((one) => one.name === name) ?? assert.fail(`${name} was not found`);

const canary = 'cAnArY';
const passwd = 'root:x:0:0::/root:/bin/sh\nshop:x:1000:1000::/home/shop:/bin/bash\n';

test('applications that pm2 saved are found, and no value of a variable is told', async () => {
  const app = (id: number) => ({
    name: 'shop-api',
    pm_id: id,
    pm_exec_path: '/home/shop/api/server.js',
    pm_cwd: '/home/shop/api',
    exec_interpreter: 'node',
    args: ['--token', canary],
    MONGO_URL: `mongodb://shop:${canary}@db1.internal:27017,db2.internal/shop?authSource=admin`,
    env: { REDIS_URL: `redis://:${canary}@cache:6379`, STRIPE_KEY: canary },
  });
  const { found, unseen } = await discover({
    '/etc/passwd': passwd,
    '/home/shop/.pm2/dump.pm2': JSON.stringify([app(0), app(1), null, {}]),
    '/home/shop/.pm2/pids/ghost-0.pid': '1',
    '/home/shop/api/.env': `# secrets\nexport DATABASE_URL="postgres://u:${canary}@10.0.0.5/shop"\nX=${canary}\n`,
    '/home/shop/api/.env.example': 'OTHER_URL=mysql://localhost/x',
    '/home/shop/api/uploads/a.jpg': '12345',
  });
  const api = named(found, 'shop-api');
  assert.equal(api.kind, 'application');
  assert.equal(api.suggestion, '/home/shop/api');
  assert.deepEqual(api.details, {
    runner: 'pm2',
    isRunning: false,
    program: 'node',
    script: '/home/shop/api/server.js',
    environmentFiles: '/home/shop/api/.env',
    connections: 'MONGO_URL, REDIS_URL, DATABASE_URL',
    pm2Home: '/home/shop/.pm2',
    instances: 2,
  });
  assert.deepEqual(api.evidence, [
    '/home/shop/.pm2/dump.pm2 names it',
    'MONGO_URL holds a connection string of MongoDB to db1.internal:27017,db2.internal (found, secret hidden)',
    'REDIS_URL holds a connection string of Redis to cache:6379 (found, secret hidden)',
    'DATABASE_URL holds a connection string of PostgreSQL to 10.0.0.5 (found, secret hidden)',
  ]);
  assert.equal(named(found, '/home/shop/api/uploads').details.sizeBytes, 5);
  assert.equal(found.filter(({ kind }) => kind === 'application').length, 1);
  assert.doesNotMatch(JSON.stringify({ found, unseen }), new RegExp(canary));
});

test('an application that runs and was not saved is found by its pid file, its environment stays hidden', async () => {
  const url = `mongodb://127.0.0.1:27017/?password=${canary}`;
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1e6)'], {
    env: { APP_DB: url, SECRET: canary },
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: top,
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  try {
    const files = { '/etc/passwd': passwd, '/home/shop/.pm2/pids/my-app-3.pid': `${child.pid}\n` };
    const { found } = await discover(files, { proc: '/proc' });
    const app = named(found, 'my-app');
    assert.equal(app.details.isRunning, true);
    assert.equal(app.where, top);
    assert.match(app.evidence.join('\n'), /"pm2 save" was not called/);
    assert.match(
      app.evidence.join('\n'),
      /APP_DB holds a connection string of MongoDB to 127\.0\.0\.1:27017/,
    );
    assert.doesNotMatch(JSON.stringify(found), new RegExp(canary));
  } finally {
    child.kill('SIGKILL');
  }
});

test('a dump of pm2 that cannot be understood is told, not passed over, and not quoted', async () => {
  const { unseen } = await discover({
    '/etc/passwd': passwd,
    '/home/shop/.pm2/dump.pm2': `[{"name": "${canary}`,
  });
  assert.deepEqual(unseen.slice(-1), ['/home/shop/.pm2/dump.pm2 is not what pm2 writes']);
});

test('units of systemd that run an application are found, with drop-ins; others are not', async () => {
  const { found } = await discover({
    '/etc/systemd/system/blog.service': `[Unit]\nDescription=Blog\n[Service]\nUser=blog\nWorkingDirectory=/srv/blog
EnvironmentFile=-/etc/blog.env\nEnvironment=NODE_ENV=production "DB=postgresql://b:${canary}@localhost/blog"
ExecStart=/usr/bin/env NODE_OPTIONS=x /usr/bin/node \\\n  /srv/blog/index.mjs --key ${canary}\n[Install]\nExecStart=/bin/false\n`,
    '/etc/systemd/system/blog.service.d/override.conf': '[Service]\nEnvironmentFile=/etc/more.env\n',
    '/etc/blog.env': `CACHE=rediss://x:${canary}@cache.example:6380/0\nTOKEN=${canary}\n`,
    '/etc/systemd/system/worker.service':
      '[Service]\nExecStart=-/opt/venv/bin/python3.11 /opt/worker/main.py\n',
    '/etc/systemd/system/backup.service': '[Service]\nExecStart=/usr/bin/restic backup /\n',
    '/usr/lib/systemd/system/dist.service': '[Service]\nExecStart=/usr/bin/python3 /usr/bin/dist.py\n',
    '/srv/blog/index.mjs': '',
  });
  assert.deepEqual(
    found.filter(({ kind }) => kind === 'application').map(({ name }) => name),
    ['blog', 'worker'],
  );
  const blog = named(found, 'blog');
  assert.deepEqual(blog.details, {
    runner: 'systemd',
    isRunning: false,
    program: 'node',
    script: '/srv/blog/index.mjs',
    environmentFiles: '/etc/blog.env, /etc/more.env',
    connections: 'DB, CACHE',
    unit: 'blog.service',
    user: 'blog',
  });
  assert.equal(named(found, 'worker').details.script, '/opt/worker/main.py');
  assert.doesNotMatch(JSON.stringify(found), new RegExp(canary));
});

test('sites are read through includes, a circle of them ends, and a broken file loses nothing of others', async () => {
  const { found, unseen } = await discover({
    '/etc/nginx/nginx.conf': 'http { include conf.d/*.conf; include /etc/nginx/sites-enabled/*; }',
    '/etc/nginx/conf.d/circle.conf': 'include conf.d/circle.conf;',
    '/etc/nginx/sites-enabled/a': 'server { server_name a.example; root "/var/www/a b"; }',
    '/etc/nginx/sites-enabled/b':
      'server { server_name _; location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; } } }',
    '/etc/nginx/sites-enabled/c': 'upstream u { server 10.0.0.1; } server { server_name',
    '/var/www/a b/index.html': 'x',
  });
  assert.equal(named(found, 'a.example').suggestion, '/var/www/a b');
  assert.equal(named(found, 'default site of b').where, 'unix:/run/php.sock');
  assert.match(unseen.join('\n'), /more files of nginx were not read/);
  assert.deepEqual(named(found, '/var/www/a b').evidence, [
    'the site a.example works with it',
    'it lies in /var/www',
  ]);
  assert.ok(named(found, '/etc/nginx'));
});

test('sizes are counted up to a limit, and without following links', async () => {
  const files = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`/srv/many/${i}`, 'xy']));
  const root = plant({ ...files, '/srv/few/a': 'abc', '/outside/big': 'x'.repeat(1000) });
  symlinkSync(join(root, 'outside'), join(root, 'srv/few/link'));
  const limits = { entriesMax: 10, durationMsMax: 60_000 };
  const { found } = await discoverHost({ root, proc: emptyProc, environment: {}, limits });
  assert.deepEqual(named(found, '/srv/few').details, { sizeBytes: 3, fileCount: 1, isSizeComplete: true });
  const many = named(found, '/srv/many').details;
  assert.equal(many.isSizeComplete, false);
  assert.equal(many.fileCount, 10);
});

/** Servers that say what real ones say first; the shapes of MySQL's and InfluxDB's manuals. */
async function listen(answer: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    answer(socket);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: (server.address() as { port: number }).port, server };
}

test('MySQL, MariaDB and InfluxDB are known by what they say; what speaks otherwise is none of them', async () => {
  const greeting = (version: string) => (socket: Socket) =>
    socket.write(Buffer.concat([Buffer.from([74, 0, 0, 0, 10]), Buffer.from(`${version}\0rest`)]));
  const servers = await Promise.all([
    listen(greeting('8.0.36')),
    listen(greeting('5.5.5-10.11.19-MariaDB-0+deb12u1')),
    listen((socket) =>
      socket.once('data', (text) =>
        socket.end(
          String(text).startsWith('GET /ping')
            ? 'HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.8.10\r\n\r\n'
            : 'HTTP/1.1 400 Bad Request\r\n\r\n',
        ),
      ),
    ),
    listen((socket) => socket.end('220 mail.example ESMTP\r\n')),
    listen((socket) => socket.end(Buffer.alloc(70_000, 0xff))),
  ]);
  const ports = servers.map(({ port }) => port);
  const { found } = await discover({}, { proc: '/proc', alsoPorts: ports });
  for (const { server } of servers) server.close();
  const names = ports.map((port) => found.find(({ details }) => details.port === port)?.name);
  assert.deepEqual(names, [
    'MySQL 8.0.36',
    'MariaDB 10.11.19-MariaDB-0+deb12u1',
    'InfluxDB 1.8.10',
    undefined,
    undefined,
  ]);
});

test('a container tells what is mounted, and which databases its names and variables lead to', async () => {
  const proc = plant({
    'net/tcp': '',
    'self/mountinfo': [
      '1 0 0:30 / / rw - overlay overlay rw',
      '2 1 8:1 /x /etc/hosts rw - ext4 /dev/sda1 rw',
      '3 1 8:1 /v /data/my\\040app rw,relatime shared:1 - ext4 /dev/sda1 rw',
      '4 1 0:31 / /backup ro - nfs4 nas:/backup ro',
      '5 1 0:32 / /proc rw - proc proc rw',
    ].join('\n'),
  });
  const { port, server } = await listen((socket) => socket.end('-NOAUTH Authentication required.\r\n'));
  const asked = new Set<string>();
  const options: DiscoverOptions = {
    proc,
    environment: {
      MYAPP_PORT_6379_TCP_ADDR: 'linked.example',
      REDIS_SERVICE_HOST: '127.0.0.1',
      REDIS_SERVICE_PORT: String(port),
    },
    resolve: async (name) => {
      asked.add(name);
      throw new Error('unknown');
    },
  };
  const { found } = await discover({ '/.dockerenv': '' }, options);
  server.close();
  assert.deepEqual(
    found.map(({ where, details }) => [where, details.fileSystem, details.isReadOnly]),
    [
      ['/data/my app', 'ext4', false],
      ['/backup', 'nfs4', true],
    ],
  );
  for (const name of ['mongo', 'redis', 'postgres', 'linked.example']) assert.ok(asked.has(name), name);
  asked.clear();
  await discover({}, options);
  assert.equal(asked.size, 0);
});

test('stops at once when its signal says so', async () => {
  await assert.rejects(discover({}, { signal: AbortSignal.abort(new Error('enough')) }), {
    message: 'enough',
  });
});
