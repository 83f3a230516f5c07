import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { collect, systemClock } from '#base';
import { checkRepository, initRepository, openRepository, type Repository } from '#repository';
import { filesSource } from '#sources';
import { openStorage, type Storage } from '#storage';
import { backup, restore } from '#workflows';
import { listedNames } from '../../src/storage/testing/expect.ts';
import { holdfast, program } from '../command/holdfast.ts';
import { Restic } from '../servers/restic.ts';
import { startSshd } from '../servers/sshd.ts';
import { describeTree } from '../trees/describe-tree.ts';
import { makeNastyTree } from '../trees/nasty-tree.ts';

const password = 'judge';
const kdf = { N: 1024, r: 8, p: 1 };
const server = await startSshd();
after(() => server.stop());
const env = {
  HOLDFAST_SFTP_KEY_FILE: server.keyFile,
  HOLDFAST_SFTP_KNOWN_HOSTS: server.knownHostsFile,
  HOME: server.folder,
};
const folder = mkdtempSync(join(tmpdir(), 'holdfast-sftp-judge-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const tree = join(folder, 'tree');
let original: Record<string, string>;

before(() => {
  makeNastyTree(tree);
  original = asResticKeepsIt(describeTree(tree));
});

/** restic 0.14 does not know `linktarget_raw`: a byte of a link that is not UTF-8 becomes U+FFFD there. */
function asResticKeepsIt(facts: Record<string, string>): Record<string, string> {
  const key = '/kinds/link to not utf8';
  const kept = facts[key]!.replace('\xff', Buffer.from('\ufffd').toString('latin1'));
  return { ...facts, [key]: kept };
}

const open = (path: string): Promise<Storage> => openStorage(server.location(path), { sftp: server.options });

/** restic lets the program `ssh` do what we do ourselves. */
function resticAt(path: string): (...args: string[]) => string {
  const restic = new Restic({ repository: `sftp:${server.user}@127.0.0.1:${path}`, password, folder });
  const ssh = [
    ...['ssh', '-p', `${server.port}`, '-i', server.keyFile, '-o', 'IdentitiesOnly=yes'],
    ...['-o', `UserKnownHostsFile=${server.knownHostsFile}`, `${server.user}@127.0.0.1`, '-s', 'sftp'],
  ];
  return (...args) => restic.run('-o', `sftp.command=${ssh.join(' ')}`, ...args);
}

async function backUp(repository: Repository) {
  const outcome = await backup({ repository, source: filesSource({ paths: [tree] }) });
  assert.deepEqual([outcome.state, outcome.problems], ['succeeded', []]);
  return outcome.summary;
}

test('restic checks, restores and extends what we wrote over SFTP', async () => {
  const repository = await initRepository({ storage: await open('/data/ours'), password, kdf });
  await backUp(repository);
  const restic = resticAt('/data/ours');
  restic('check', '--read-data');
  restic('restore', 'latest', '--target', join(folder, 'by-restic'));
  assert.deepEqual(describeTree(join(folder, 'by-restic', tree)), original);
  restic('backup', '--force', tree);
  const summary = await backUp(repository);
  assert.equal(summary.filesUnmodified, summary.totalFilesProcessed, 'restic’s snapshot is our parent');
  restic('check', '--read-data');
  await repository.close();
});

test('we check, restore and extend what restic wrote over SFTP', async () => {
  const restic = resticAt('/data/theirs');
  restic('init');
  restic('backup', tree);
  const repository = await openRepository({ storage: await open('/data/theirs'), password });
  const report = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(report.findings, []);
  assert(report.packs > 0 && report.packsRead === report.packs);
  const target = join(folder, 'by-us');
  const restored = await restore({ repository, snapshot: await repository.findSnapshot('latest'), target });
  assert.deepEqual([restored.state, restored.problems], ['succeeded', []]);
  assert.deepEqual(describeTree(join(target, tree)), original);
  assert.equal((await backUp(repository)).dataBlobs, 0);
  restic('check', '--read-data');
  await repository.close();
});

test('a writer that is killed in the middle of a large file leaves nothing visible, and what it left is removed', async () => {
  const storage = await open('/data/killed');
  await storage.write('data/before', Buffer.from('before'));
  const worker = join(import.meta.dirname, '../../src/storage/testing/stream-worker.ts');
  const child = spawn(
    process.execPath,
    [...process.execArgv, worker, server.location('/data/killed'), 'data/large'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    },
  );
  const ended = once(child, 'exit');
  let sentMiB = 0;
  for await (const _line of createInterface({ input: child.stdout }))
    if (++sentMiB === 16) child.kill('SIGKILL');
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  assert.deepEqual(await listedNames(storage, ''), ['data/before']);
  const minutesAgo = new Date(systemClock.nowMs() - 600_000);
  assert.equal(await storage.removeUnfinished!(minutesAgo), 0, 'a writer may still be at work');
  assert.equal(await storage.removeUnfinished!(new Date(systemClock.nowMs() + 60_000)), 1);
  assert.equal(Buffer.from(await collect(storage.read('data/before'))).toString(), 'before');
  await storage.close();
});

test('the command asks for an unknown server at a terminal, and remembers it', () => {
  const { HOLDFAST_SFTP_KNOWN_HOSTS: _, ...unknown } = { ...env, HOME: folder };
  const location = server.location('/data/command');
  const alone = holdfast(['init', '-r', location], { env: unknown });
  assert.equal(alone.status, 1);
  assert.match(
    alone.stderr,
    /SSH server 127\.0\.0\.1:\d+ is not known; its key is ssh-ed25519 SHA256:[\w+/]{43}\n {2}hint: Compare/,
  );
  const atTerminal = (answer: string) =>
    spawnSync('script', ['-qec', `${program} init -r ${location}`, '/dev/null'], {
      encoding: 'utf8',
      input: `${answer}\n`,
      env: { ...process.env, ...unknown, HOLDFAST_PASSWORD: password },
    });
  const no = atTerminal('no');
  assert.equal(no.status, 1, no.stdout);
  assert.match(no.stdout, /is this right, and shall it be remembered\? \(yes\/no\)/);
  assert(!existsSync(join(folder, '.ssh/known_hosts')));
  const yes = atTerminal('yes');
  assert.equal(yes.status, 0, yes.stdout);
  assert.match(readFileSync(join(folder, '.ssh/known_hosts'), 'utf8'), /^\[127\.0\.0\.1\]:\d+ ssh-ed25519 /);
  const later = holdfast(['snapshots', '-r', location], { env: { ...unknown, HOLDFAST_PASSWORD: password } });
  assert.equal(later.status, 0, later.stderr);
  const probed = holdfast(['storage', 'test', location], { env: unknown });
  assert.equal(probed.status, 0, probed.stdout + probed.stderr);
});
