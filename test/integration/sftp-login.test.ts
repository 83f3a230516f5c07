import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '#base';
import { type HostKeyQuestion, openStorage, type SftpOptions, StorageError } from '#storage';
import { makeKey, startSshd } from '../servers/sshd.ts';

const server = await startSshd({ config: ['MaxAuthTries 3'] });
after(() => server.stop());
const { knownHostsFile, keyFile, password } = server;
/** Nothing to log in with, and nobody known. */
const sshFolder = newHome();
const bare: SftpOptions = { sshFolder, knownHostsFile };

/** A folder to stand for `~/.ssh`. */
function newHome(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-ssh-'));
  after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function errorOf(options: SftpOptions, location = server.location('/data')): Promise<StorageError> {
  const storage = await openStorage(location, { sftp: options, retry: { attemptsMax: 1 } });
  const [outcome] = await Promise.allSettled([storage.stat('config')]);
  await storage.close();
  assert(outcome.status === 'rejected', 'logged in');
  assert(outcome.reason instanceof StorageError, outcome.reason);
  assert.match(outcome.reason.hint ?? '', /^[A-Z].*\.$/);
  assert.equal(outcome.reason.retry === 'soon', outcome.reason.code === 'storage.unreachable');
  return outcome.reason;
}

async function assertLogsIn(options: SftpOptions, location = server.location('/data')): Promise<void> {
  const storage = await openStorage(location, { sftp: options, retry: { attemptsMax: 1 } });
  assert.equal(await storage.stat('config'), undefined);
  await storage.close();
}

test('logs in by password, by key, and by a key with a passphrase', async () => {
  await assertLogsIn({ ...bare, password });
  await assertLogsIn({ ...bare, keyFile });
  const encrypted = join(sshFolder, 'encrypted');
  copyFileSync(keyFile, encrypted);
  const run = spawnSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'open sesame', '-f', encrypted]);
  assert.equal(run.status, 0);
  await assertLogsIn({ ...bare, keyFile: encrypted, passphrase: 'open sesame' });
  const wrong = await errorOf({ ...bare, keyFile: encrypted, passphrase: 'open' });
  assert.equal(wrong.code, 'storage.access-denied');
  const without = await errorOf({ ...bare, keyFile: encrypted });
  assert.match(without.message, /encrypted cannot be used: .*no passphrase/);
});

test('logs in by the agent, though it holds a wrong key first, and by the keys of ~/.ssh', async () => {
  const socket = join(sshFolder, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  try {
    while (!existsSync(socket)) await systemClock.sleep(20);
    makeKey(join(sshFolder, 'wrong'));
    for (const key of [join(sshFolder, 'wrong'), keyFile]) {
      const run = spawnSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      assert.equal(run.status, 0, run.stderr.toString());
    }
    await assertLogsIn({ ...bare, agent: socket });
  } finally {
    agent.kill();
  }
  // An agent that is gone does not stop the other ways.
  const home = newHome();
  copyFileSync(keyFile, join(home, 'id_ed25519'));
  await assertLogsIn({ sshFolder: home, knownHostsFile, agent: socket });
});

test('says what was tried when a login is refused', async () => {
  const wrong = await errorOf({ ...bare, password: 'guess' });
  assert.equal(wrong.code, 'storage.access-denied');
  assert.match(wrong.message, /refuses to log in keeper \(tried the password/);
  assert.doesNotMatch(wrong.message + wrong.hint, /guess/);
  assert.match((await errorOf(bare)).message, /had nothing to try/);
  const stranger = `sftp://stranger@127.0.0.1:${server.port}//data`;
  assert.equal((await errorOf({ ...bare, password }, stranger)).code, 'storage.access-denied');
});

test('a refused login is not repeated: servers shut out who tries too often', async () => {
  const storage = await openStorage(server.location('/data'), { sftp: { ...bare, password: 'guess' } });
  const calls = await Promise.allSettled([storage.stat('a'), storage.stat('b')]);
  const later = await Promise.allSettled([storage.stat('c')]);
  const reasons = [...calls, ...later].map((call) => (call.status === 'rejected' ? call.reason : undefined));
  assert(reasons[0] instanceof StorageError);
  assert.deepEqual(new Set(reasons).size, 1);
  await storage.close();
});

test('an unknown host is refused with its fingerprint, and accepted only when the answer is yes', async () => {
  const file = join(sshFolder, 'first-use');
  const shown = spawnSync('ssh-keygen', ['-l', '-f', join(server.folder, 'host.pub')], { encoding: 'utf8' });
  const fingerprint = shown.stdout.split(' ')[1]!;
  const options = { ...server.options, knownHostsFile: file };
  const refused = await errorOf(options);
  assert.equal(refused.code, 'storage.untrusted');
  assert(refused.message.includes(fingerprint), refused.message);
  const questions: HostKeyQuestion[] = [];
  const answering = (answer: boolean) => ({
    ...options,
    askHostKey: async (question: HostKeyQuestion) => {
      questions.push(question);
      return answer;
    },
  });
  assert.equal((await errorOf(answering(false))).code, 'storage.untrusted');
  assert(!existsSync(file));
  await assertLogsIn(answering(true));
  assert.deepEqual(questions, [
    { host: '127.0.0.1', port: server.port, keyType: 'ssh-ed25519', fingerprint },
    { host: '127.0.0.1', port: server.port, keyType: 'ssh-ed25519', fingerprint },
  ]);
  await assertLogsIn(options);
  assert.equal(questions.length, 2);
});

test('a changed or revoked key is refused, whatever the answer', async () => {
  makeKey(join(sshFolder, 'other'));
  const [type, other] = readFileSync(join(sshFolder, 'other.pub'), 'utf8').split(' ');
  const host = `[127.0.0.1]:${server.port}`;
  const askHostKey = async () => true;
  const file = join(sshFolder, 'changed');
  writeFileSync(file, `${host} ${type} ${other}\n`);
  const changed = await errorOf({ ...server.options, knownHostsFile: file, askHostKey });
  assert.equal(changed.code, 'storage.untrusted');
  assert.match(changed.message, /shows another key than the known one/);
  writeFileSync(file, `@revoked * ${readFileSync(join(server.folder, 'host.pub'), 'utf8')}`);
  const revoked = await errorOf({ ...server.options, knownHostsFile: file, askHostKey });
  assert.match(revoked.message, /revoked/);
});

test('the key whose type is known is asked for when the server has several', async () => {
  const second = join(sshFolder, 'second-host-key');
  makeKey(second, { type: 'ecdsa' });
  const two = await startSshd({ config: [`HostKey ${second}`] });
  const host = `[127.0.0.1]:${two.port}`;
  for (const key of [second, join(two.folder, 'host')]) {
    writeFileSync(two.knownHostsFile, `${host} ${readFileSync(`${key}.pub`, 'utf8')}`);
    await assertLogsIn(two.options, two.location('/data'));
  }
  await two.stop();
});

test('goes through jump hosts, given or configured, and shows them no password', async () => {
  const jump = `${server.user}@127.0.0.1:${server.port}`;
  await assertLogsIn({ ...server.options, jump });
  await assertLogsIn({ ...server.options, jump: `${jump},${jump}` });
  const refused = await errorOf({ ...bare, password, jump });
  assert.match(refused.message, /refuses to log in keeper \(had nothing to try/);
  const home = newHome();
  const config = `
Host place
  HostName 127.0.0.1
  Port ${server.port}
  User ${server.user}
  IdentityFile ${keyFile}
  ProxyJump gate
Host gate
  HostName 127.0.0.1
  Port ${server.port}
  User ${server.user}
  IdentityFile ${keyFile}
`;
  writeFileSync(join(home, 'config'), config);
  await assertLogsIn({ sshFolder: home, knownHostsFile }, 'sftp:place:/data');
  writeFileSync(join(home, 'config'), `${config}  ProxyJump place\n`);
  const circle = await errorOf({ sshFolder: home, knownHostsFile }, 'sftp:place:/data');
  assert.equal(circle.code, 'storage.location');
});

test('a server that cannot be reached may be tried again soon, one without SFTP not', async () => {
  const nowhere = await errorOf(server.options, 'sftp://keeper@127.0.0.1:1//data');
  assert.match(nowhere.message, /cannot reach the SSH server 127\.0\.0\.1:1: .*ECONNREFUSED/);
  const behind = await errorOf(
    {
      ...server.options,
      jump: `${server.user}@127.0.0.1:${server.port}`,
    },
    'sftp://keeper@127.0.0.1:1//data',
  );
  assert.match(behind.message, /jump host cannot reach 127\.0\.0\.1:1/);
  const shellOnly = await startSshd({ command: 'echo hello' });
  assert.equal((await errorOf(shellOnly.options, shellOnly.location('/data'))).code, 'storage.unsupported');
  await shellOnly.stop();
});
