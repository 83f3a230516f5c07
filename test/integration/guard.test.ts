import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BSON } from 'mongodb';
import { type Script, startScriptedMongo } from '../../src/sources/mongodb/testing/scripted-mongo.ts';
import { holdfast, jsonLines, makeRepository, type RunOptions, startHoldfast } from '../command/holdfast.ts';

let folder: string;
let repository: string;
let site: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-guard-'));
  repository = join(folder, 'repository');
  site = join(folder, 'site');
  mkdirSync(site);
  writeFileSync(join(site, 'page'), 'as it was');
  await makeRepository(repository);
});
after(() => rmSync(folder, { recursive: true, force: true }));

function guard(args: readonly string[], options: RunOptions = {}) {
  return holdfast(['guard', '-r', repository, ...args], options);
}

/** The same beside a server in this process. */
async function guardBeside(args: readonly string[], options: RunOptions = {}) {
  const child = startHoldfast(['guard', '-r', repository, ...args], options);
  child.stdin.end();
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (piece) => {
      texts[name] += piece;
    });
  const [status] = await once(child, 'close');
  return { ...texts, status: status as number };
}

function snapshots(...args: string[]): { id: string; tags: string[]; short_id: string }[] {
  return JSON.parse(holdfast(['snapshots', '-r', repository, '--json', ...args]).stdout);
}

const script =
  'echo "$HOLDFAST_PASSWORD$AWS_SECRET_ACCESS_KEY|$MINE"; echo wrong >&2; echo new > page; exit 7';

test('a command runs after a pinned snapshot; its exit code and output are its own, and one line goes back', () => {
  const run = guard(['--source', site, '--name', 'site', '--', 'sh', '-c', script], {
    cwd: site,
    env: { MINE: 'mine', AWS_SECRET_ACCESS_KEY: 'not of a storage in use' },
  });
  assert.equal(run.status, 7);
  assert.equal(run.stdout, 'not of a storage in use|mine\n');
  assert.match(
    run.stderr,
    /snapshot [0-9a-f]{8} saved, every blob checked, pinned: the command runs\n(?:.*\n)*wrong\n/,
  );
  assert.match(run.stderr, /^the command ended with 7 after 0:00 \(failed\)$/m);
  assert.equal(readFileSync(join(site, 'page'), 'utf8'), 'new\n');
  const back = /^to go back: {2}holdfast (.*)$/m.exec(run.stderr)![1]!;
  assert.equal(holdfast(back.split(' ')).status, 0);
  assert.equal(readFileSync(join(site, 'page'), 'utf8'), 'as it was');
});

test('the record of a command is kept, and is nobody’s latest', () => {
  const [log] = snapshots('--tag', 'holdfast-log');
  const file = (name: string): string =>
    holdfast(['dump', `${log!.id}:/holdfast-guard/${name}`, '-r', repository]).stdout;
  assert.equal(file('output.log'), 'not of a storage in use|mine\nwrong\n');
  const { command, exitCode, snapshot, outputBytes } = JSON.parse(file('guard.json'));
  assert.deepEqual(command, ['sh', '-c', script]);
  assert.equal(exitCode, 7);
  assert.equal(outputBytes, 35);
  const [guarded] = snapshots('--name', 'site');
  assert.equal(snapshot, guarded!.id);
  assert.deepEqual(guarded!.tags, ['name=site', 'pin', `note=before sh -c '${script}'`]);
  assert.match(holdfast(['ls', 'latest', '-r', repository]).stdout, /\/page/);
});

test('what is pinned is kept by every policy', () => {
  holdfast(['backup', '-r', repository, site, '--name', 'site']);
  const { stdout } = holdfast(['forget', '-r', repository, '--keep-last', '1', '--name', 'site']);
  assert.match(stdout, /keep {2}pinned/);
  assert.match(stdout, /^0 snapshots forgotten$/m);
});

test('a program that is not there, and one that a signal ends', () => {
  const absent = guard(['--source', site, '--json', '--', 'no-such-program']);
  assert.equal(absent.status, 127);
  assert.equal(jsonLines(absent.stderr).at(-1)!.error_code, 'cli.command-not-found');
  const ended = guard(['--source', site, '--json', '--', 'sh', '-c', 'kill -TERM $$']);
  assert.equal(ended.status, 143);
  const summary = jsonLines(ended.stdout).at(-1)!;
  assert.equal(summary.state, 'failed');
  assert.equal(summary.signal, 'SIGTERM');
});

test('an interruption while the command runs is the command’s, and is recorded', async () => {
  const child = startHoldfast([
    'guard',
    '-r',
    repository,
    '--source',
    site,
    '--json',
    '--',
    'sh',
    '-c',
    'echo runs >&2; exec sleep 60',
  ]);
  let stdout = '';
  child.stdout.on('data', (piece) => {
    stdout += piece;
  });
  for await (const piece of child.stderr) if (String(piece).includes('runs')) child.kill('SIGTERM');
  const summary = jsonLines(stdout).at(-1)!;
  assert.equal(summary.signal, 'SIGTERM');
  assert.equal(summary.recorded, true);
});

function shop(): Script['databases'] {
  const documents = Array.from({ length: 100 }, (_, _id) => BSON.serialize({ _id }));
  return new Map([['shop', new Map([['orders', { documents }]])]]);
}

test('nothing runs unless the snapshot is green', async () => {
  const server = await startScriptedMongo({
    databases: shop(),
    intercept: (command) => (command.count === 'orders' ? { n: 7, ok: 1 } : undefined),
  });
  const mark = join(folder, 'mark');
  const args = ['--source', server.url, '--json', '--', 'touch', mark];
  const refused = await guardBeside(args);
  assert.equal(refused.status, 3);
  const error = jsonLines(refused.stderr).at(-1)!;
  assert.equal(error.error_code, 'cli.not-green');
  assert.match(
    String(error.message),
    /^the command was not run: snapshot [0-9a-f]{8} has 1 problem, listed above$/,
  );
  assert.ok(!existsSync(mark));
  assert.equal((await guardBeside(['--allow-warnings', ...args])).status, 0);
  assert.ok(existsSync(mark));
  await server.stop();
});

test('a fresh whole snapshot is accepted where it holds what is wanted, and read back; the password is not shown', async () => {
  const server = await startScriptedMongo({ databases: shop() });
  const env = { HOLDFAST_SOURCE_URL: server.url };
  const run = (...args: string[]) => guardBeside([...args, '--json', '--', 'true'], { env });
  const first = jsonLines((await run('--max-age', '1h')).stdout).at(-1)!;
  assert.equal(first.snapshot_age_seconds, 0);
  assert.equal(
    first.rollback,
    `HOLDFAST_TARGET="$HOLDFAST_SOURCE_URL" holdfast restore ${String(first.snapshot_id).slice(0, 8)} -r ${repository} --drop --yes-drop shop`,
  );
  const second = jsonLines((await run('--max-age', '1h')).stdout).at(-1)!;
  assert.ok((second.snapshot_age_seconds as number) > 0);
  const count = snapshots('--tag', 'pin').length;
  assert.equal(jsonLines((await run('--max-age', '1h', '--users')).stdout).at(-1)!.snapshot_age_seconds, 0);
  assert.equal(jsonLines((await run()).stdout).at(-1)!.snapshot_age_seconds, 0);
  assert.equal(snapshots('--tag', 'pin').length, count + 2);
  const url = server.url.replace('mongodb://', 'mongodb://ada:geheim@');
  const odd = await guardBeside(['--source', url, '--', 'true']);
  assert.doesNotMatch(odd.stdout + odd.stderr, /geheim/);
  await server.stop();
});
