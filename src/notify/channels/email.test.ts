import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outboundPolicy } from '#base';
import type { SettingsByKind } from '../channel.ts';
import type { Notification } from '../notification.ts';
import { sendNotification } from '../send-notification.ts';
import { channelContract } from '../testing/contract.ts';
import { failure, nasty, recovery } from '../testing/examples.ts';
import { type Mail, startMailReceiver } from '../testing/mail-receiver.ts';

const skip = [
  {
    reason: 'SMTP knows no redirect, and no time after which to try again',
    cases: ['follows no redirect', 'waits as long as the service asks'],
  },
];
channelContract({ name: 'e-mail with STARTTLS', start: startMailReceiver, skip });

const policy = outboundPolicy({ privateAddresses: true });

interface Given {
  security?: 'tls' | 'starttls' | 'none';
  notifications?: readonly Notification[];
  settings?: Partial<SettingsByKind['email']>;
  isTrusted?: boolean;
}

async function mailed({
  security,
  notifications = [failure],
  settings,
  isTrusted = true,
}: Given): Promise<Mail[]> {
  const receiver = await startMailReceiver(security ? { security } : {});
  try {
    for (const [i, notification] of notifications.entries())
      await sendNotification({ ...receiver.settings, ...settings }, notification, {
        policy,
        deliveryId: `delivery-${i}`,
        resolve: receiver.resolve,
        ...(isTrusted && { certificates: receiver.certificates }),
      });
    return receiver.taken;
  } finally {
    await receiver.stop();
  }
}

test('an e-mail says it all, as text and as HTML, to every recipient', async () => {
  const [mail] = await mailed({});
  assert.equal(mail!.isSecure, true);
  assert.equal(mail!.user, 'keeper');
  assert.equal(mail!.from, 'holdfast@example.org');
  assert.deepEqual(mail!.to, ['ops@example.org', 'boss@example.org']);
  assert.equal(mail!.headers.get('subject'), '[Holdfast] Error: plan shop-nightly failed');
  assert.equal(mail!.headers.get('auto-submitted'), 'auto-generated');
  for (const text of [mail!.text, mail!.html.replaceAll('</td><td style="padding:2px 0">', ': ')]) {
    const wanted = ['stopped after 3 of 17', '2026-11-23 03:00 UTC', '310 MiB (usual: 2.1 GiB)', 'is full'];
    for (const part of [...wanted, 'unknown (usual: unknown)', '/jobs/42', 'backup-1', 'production'])
      assert.ok(text.includes(part), `"${part}" is missing in ${text}`);
  }
});

test('a trouble and its end stand in one thread, and a second attempt has the id of the first', async () => {
  const [first, second] = await mailed({ notifications: [failure, recovery] });
  const [again] = await mailed({});
  const header = (mail: Mail | undefined, name: string) => mail!.headers.get(name);
  assert.ok(header(first, 'references'));
  assert.equal(header(first, 'references'), header(second, 'references'));
  assert.notEqual(header(first, 'message-id'), header(second, 'message-id'));
  assert.equal(header(first, 'message-id'), header(again, 'message-id'));
});

test('a name adds no header and no recipient, and no markup to the page', async () => {
  const [mail] = await mailed({ notifications: [nasty] });
  assert.equal(mail!.headers.has('bcc'), false);
  assert.deepEqual(mail!.to, ['ops@example.org', 'boss@example.org']);
  assert.ok(!mail!.html.includes('<b>&amp;'));
});

test('TLS from the first byte works, and none where that is wanted', async () => {
  assert.equal((await mailed({ security: 'tls' }))[0]!.isSecure, true);
  assert.equal((await mailed({ security: 'none' }))[0]!.isSecure, false);
});

test('nothing is sent in clear to a server that offers no STARTTLS, or to one that is not trusted', async () => {
  const untrusted = { code: 'outbound.untrusted', retry: 'never' };
  await assert.rejects(mailed({ security: 'none', settings: { security: 'starttls' } }), untrusted);
  await assert.rejects(mailed({ isTrusted: false }), untrusted);
  await assert.rejects(mailed({ security: 'tls', isTrusted: false }), untrusted);
});

test('one recipient who is refused among others is told', async () => {
  const settings = { to: ['ops@example.org', 'nobody@example.org'] };
  await assert.rejects(mailed({ settings }), {
    code: 'notify.refused',
    message: 'mail.example refused 1 of 2 recipients',
  });
});

test('a wrong password is told as such', async () => {
  await assert.rejects(mailed({ settings: { password: 'wrong' } }), {
    code: 'notify.login',
    message: /^((?!wrong).)*$/,
  });
});
