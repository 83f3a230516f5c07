import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { holdfast, program } from '../command/holdfast.ts';
import { Restic } from '../servers/restic.ts';
import { startSshd } from '../servers/sshd.ts';
import { judgePassword, storageJudge } from './storage-judge.ts';

const server = await startSshd();
after(() => server.stop());
const env = {
  HOLDFAST_SFTP_KEY_FILE: server.keyFile,
  HOLDFAST_SFTP_KNOWN_HOSTS: server.knownHostsFile,
  HOME: server.folder,
};
const folder = mkdtempSync(join(tmpdir(), 'holdfast-sftp-judge-'));
after(() => rmSync(folder, { recursive: true, force: true }));

storageJudge({
  name: 'SFTP',
  location: (path) => server.location(`/data/${path}`),
  options: { sftp: server.options },
  env,
  restic: resticAt,
  killedAtMiB: 16,
});

/** restic lets the program `ssh` do what we do ourselves. */
function resticAt(path: string, cache: string): (...args: string[]) => string {
  const repository = `sftp:${server.user}@127.0.0.1:/data/${path}`;
  const restic = new Restic({ repository, password: judgePassword, folder: cache });
  const ssh = [
    ...['ssh', '-p', `${server.port}`, '-i', server.keyFile, '-o', 'IdentitiesOnly=yes'],
    ...['-o', `UserKnownHostsFile=${server.knownHostsFile}`, `${server.user}@127.0.0.1`, '-s', 'sftp'],
  ];
  return (...args) => restic.run('-o', `sftp.command=${ssh.join(' ')}`, ...args);
}

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
      env: { ...process.env, ...unknown, HOLDFAST_PASSWORD: judgePassword },
    });
  const no = atTerminal('no');
  assert.equal(no.status, 1, no.stdout);
  assert.match(no.stdout, /is this right, and shall it be remembered\? \(yes\/no\)/);
  assert(!existsSync(join(folder, '.ssh/known_hosts')));
  const yes = atTerminal('yes');
  assert.equal(yes.status, 0, yes.stdout);
  assert.match(readFileSync(join(folder, '.ssh/known_hosts'), 'utf8'), /^\[127\.0\.0\.1\]:\d+ ssh-ed25519 /);
  const later = holdfast(['snapshots', '-r', location], {
    env: { ...unknown, HOLDFAST_PASSWORD: judgePassword },
  });
  assert.equal(later.status, 0, later.stderr);
  const probed = holdfast(['storage', 'test', location], { env: unknown });
  assert.equal(probed.status, 0, probed.stdout + probed.stderr);
});
