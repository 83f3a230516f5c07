import assert from 'node:assert/strict';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { matchesHost, settingsOf } from './ssh-config.ts';

const config = `
# before the first Host: for all
IdentityFile ~/.ssh/for-all

Host backup other-*
  HostName %h.example.org
  Port=2222
  User keeper
  IdentityFile "/keys with blank/%h-%u"
  ProxyJump gate@jump.example.org:2200

Match host backup
  User nobody

Host direct
	ProxyJump none
	ProxyJump jump

Host * !direct
  User late
  Port 22
`;

test('the first value of each word holds, key files add up', () => {
  const { username } = userInfo();
  assert.deepEqual(settingsOf('backup', config), {
    hostName: 'backup.example.org',
    port: 2222,
    user: 'keeper',
    identityFiles: [join(homedir(), '.ssh/for-all'), `/keys with blank/backup.example.org-${username}`],
    proxyJump: 'gate@jump.example.org:2200',
  });
  assert.equal(settingsOf('other-one', config).hostName, 'other-one.example.org');
});

test('a host that nothing is said of is itself, and `none` ends a search', () => {
  assert.deepEqual(settingsOf('backup', ''), { hostName: 'backup', identityFiles: [] });
  assert.deepEqual(settingsOf('direct', config), {
    hostName: 'direct',
    identityFiles: [join(homedir(), '.ssh/for-all')],
    proxyJump: '',
  });
  assert.equal(settingsOf('third', config).user, 'late');
});

test('patterns have * and ?, a dot is a dot, and ! refuses', () => {
  assert(matchesHost(['a', '10.0.?.1'], '10.0.3.1'));
  assert(!matchesHost(['10.0.?.1'], '10.0.33.1'));
  assert(!matchesHost(['a.b'], 'aXb'));
  assert(!matchesHost(['*', '!bad*'], 'bad-host'));
  assert(matchesHost(['[host]:2222'], '[host]:2222'));
});
