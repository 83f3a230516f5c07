import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#base';
import { holdfast, jsonLines, type Run, startHoldfast } from '../command/holdfast.ts';

let folder: string;
let env: NodeJS.ProcessEnv;
let data: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-serve-'));
  env = { HOLDFAST_HOME: join(folder, 'state') };
  data = join(folder, 'shop');
  mkdirSync(data);
  for (let i = 0; i < 8; i++) writeFileSync(join(data, `part-${i}`), randomBytes(2 ** 20));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function serve() {
  const child = startHoldfast(['serve', data, '--port', '0'], { env });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece: Buffer) => {
      said += String(piece);
    });
  return {
    /** @throws when the server ends before */
    async untilSaid(text: string): Promise<string> {
      while (!said.includes(text)) {
        assert.equal(child.exitCode, null, said);
        await systemClock.sleep(20);
      }
      return said;
    },
    async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
      const gone = once(child, 'exit');
      child.kill(signal);
      await gone;
    },
  };
}

function run(...args: string[]): Run {
  return holdfast(args, { env });
}

test('killed at boot and in its first backup, a server goes on, and makes one snapshot', async () => {
  const atBoot = serve();
  while (!existsSync(join(folder, 'state/catalog.sqlite'))) await systemClock.sleep(5);
  await atBoot.end('SIGKILL');
  const inBackup = serve();
  await inBackup.untilSaid('shop: the first backup runs');
  await inBackup.end('SIGKILL');
  const last = serve();
  await last.untilSaid('listens on');
  const second = run('serve', '--port', '0');
  assert.equal(second.status, 11, second.stderr);
  assert.match(second.stderr, /is in use by the server, process \d+/);
  const command = run('plan', 'list');
  assert.equal(command.status, 11, command.stderr);
  const said = await last.untilSaid('shop: protected');
  assert.match(said, /holdfast-itself: protected, read back and right/);
  await last.end('SIGTERM');
  const jobs = jsonLines(run('job', 'list', '--json').stdout);
  assert.deepEqual(jobs.map(({ plan, state }) => `${String(plan)} ${String(state)}`).sort(), [
    'holdfast-itself succeeded',
    'shop succeeded',
  ]);
  const [plan] = jsonLines(run('plan', 'show', 'shop', '--json').stdout) as unknown as {
    status: { targets: { snapshotCount: number }[] };
  }[];
  assert.equal(plan!.status.targets[0]!.snapshotCount, 1);
});

test('plans, jobs and users are seen to from a shell while no server runs', () => {
  const listed = run('plan', 'list');
  assert.match(listed.stdout, /^shop +backup +attention +\d{4}-/m);
  const again = run('plan', 'run', 'shop');
  assert.equal(again.status, 0, again.stderr);
  const [job] = jsonLines(run('job', 'list', '--plan', 'shop', '--json').stdout);
  assert.match(run('job', 'log', job!.id as string).stdout, /info +source shop is there/);
  assert.equal(run('plan', 'remove', 'shop').status, 0);
  const gone = run('plan', 'show', 'shop');
  assert.equal(gone.status, 1);
  assert.match(gone.stderr, /there is no plan "shop"/);
  const added = holdfast(['user', 'add', 'ada', '--role', 'admin'], { env, input: 'long enough for us\n' });
  assert.equal(added.stdout, 'added ada as admin\n', added.stderr);
  const doctor = run('doctor');
  assert.equal(doctor.status, 3, doctor.stderr);
  assert.match(doctor.stdout, /^well +master key: .*ours alone$/m);
  assert.match(doctor.stdout, /^NOT WELL +recovery kit: no recovery kit was made yet$/m);
  const away = holdfast(['plan', 'list'], { env: { ...env, HOLDFAST_URL: 'http://127.0.0.1:9' } });
  assert.match(away.stderr, /does not answer/);
});
