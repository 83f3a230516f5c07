import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { outboundPolicy, systemClock } from '#base';
import type { ChannelSettings } from '../channel.ts';
import type { Notification } from '../notification.ts';
import { sendNotification } from '../send-notification.ts';
import { channelContract } from '../testing/contract.ts';
import { bare, failure, nasty, recovery } from '../testing/examples.ts';
import { type Received, type Service, startHttpReceiver } from '../testing/http-receiver.ts';
import { httpServices } from '../testing/http-services.ts';

for (const [kind, service] of Object.entries(httpServices))
  channelContract({ name: kind, start: () => startHttpReceiver(service) });

const policy = outboundPolicy({ privateAddresses: true });

/** Sends to a service, and gives what it understood. */
async function told(service: Service, notification: Notification, changes: object = {}): Promise<unknown> {
  const receiver = await startHttpReceiver(service);
  try {
    const settings = { ...receiver.settings, ...changes } as ChannelSettings;
    await sendNotification(settings, notification, { policy, deliveryId: 'delivery-1' });
    return receiver.taken[0];
  } finally {
    await receiver.stop();
  }
}

test('every channel says what, which, since when, usual against now, the link and the next step', async () => {
  for (const [kind, service] of Object.entries(httpServices)) {
    const text = JSON.stringify(await told(service, failure)).replaceAll('\\\\', '');
    const since = kind === 'webhook' ? '2026-11-23T03:00' : '2026-11-23 03:00 UTC';
    const wanted = ['plan shop-nightly failed', 'stopped after 3 of 17', since, '2.1 GiB', '310 MiB'];
    for (const part of [...wanted, 'is full', '/jobs/42', 'backup-1', 'production'])
      assert.ok(text.includes(part), `${kind} does not say "${part}": ${text}`);
    if (kind !== 'webhook') assert.match(text, /Documents.*unknown \(usual: unknown\)/);
  }
});

test('every channel calls a recovery one, and says since when it had lasted', async () => {
  for (const [kind, service] of Object.entries(httpServices)) {
    const text = JSON.stringify(await told(service, recovery));
    assert.match(text, /Recovered: plan shop/, kind);
    assert.match(text, /2026-11-23/, kind);
    assert.doesNotMatch(text, /is full/, kind);
  }
});

test('nobody is rung by a name in Discord', async () => {
  const discord = (await told(httpServices.discord, nasty)) as { allowed_mentions: unknown };
  assert.deepEqual(discord.allowed_mentions, { parse: [] });
});

test('pings tell start, success and failure of jobs, and note everything else', async () => {
  const signalOf = async (notification: Notification, changes?: object): Promise<string> =>
    ((await told(httpServices.healthchecks, notification, changes)) as { signal: string }).signal;
  const rid = `?rid=${failure.jobId}`;
  assert.equal(await signalOf({ ...failure, type: 'job.started', state: 'running' }), `/start${rid}`);
  assert.equal(await signalOf({ ...failure, type: 'job.succeeded', state: 'succeeded' }), rid);
  assert.equal(await signalOf({ ...failure, type: 'job.warning', state: 'warning' }), rid);
  for (const state of ['failed', 'partial', 'missed', 'interrupted', 'cancelled'])
    assert.equal(await signalOf({ ...failure, state }), `/fail${rid}`, state);
  assert.equal(await signalOf({ ...failure, type: 'plan.late', state: 'late' }), `/log${rid}`);
  assert.equal(await signalOf({ ...bare, jobId: 'no uuid' }), '/log');
});

test('pings go to URLs of their own where there are some', async () => {
  const urls: string[] = [];
  const service: Service = {
    ...httpServices.healthchecks,
    understand: ({ url }) => urls.push(url),
  };
  const receiver = await startHttpReceiver(service);
  const { url } = receiver.settings as { url: string };
  const base = new URL(url).origin;
  const settings = {
    kind: 'healthchecks',
    url: `${base}/api/push/k?status=up`,
    failUrl: `${base}/api/push/k?status=down`,
  } as const;
  for (const state of ['succeeded', 'failed', 'running'])
    await sendNotification(
      settings,
      { ...failure, state, jobId: undefined },
      { policy, deliveryId: 'delivery-1' },
    );
  await receiver.stop();
  assert.deepEqual(urls, ['/api/push/k?status=up', '/api/push/k?status=down', '/api/push/k/start?status=up']);
});

test('what a service ignores or could not deliver is no success, though it answers 200', async () => {
  const answers: [Service, string, string][] = [
    [httpServices.teams, 'Webhook message delivery failed with error: HTTP error 429', 'notify.failed'],
    [httpServices.telegram, '{"ok":false,"description":"chat not found"}', 'notify.failed'],
    [httpServices.telegram, '<html>Welcome to the hotel', 'notify.failed'],
    [httpServices.healthchecks, 'OK (not found)', 'notify.refused'],
    [httpServices.healthchecks, 'OK (rate limited)', 'notify.refused'],
  ];
  for (const [service, body, code] of answers)
    await assert.rejects(told({ ...service, answer: { status: 200, body } }, failure), { code }, body);
});

test('a wait that Discord and Telegram write into the body counts too', async () => {
  for (const body of ['{"retry_after":1.5}', '{"ok":false,"parameters":{"retry_after":1.5}}'])
    await assert.rejects(told({ ...httpServices.discord, answer: { status: 429, body } }, failure), {
      code: 'notify.busy',
      context: { retryAfterMs: 1500 },
    });
});

test('settings that cannot work are told before anything is sent', async () => {
  const wrong: [Service, object][] = [
    [httpServices.ntfy, { url: 'https://ntfy.example.org/' }],
    [httpServices.telegram, { token: undefined }],
    [httpServices.telegram, { chat: '' }],
    [httpServices.webhook, { secret: '' }],
    [httpServices.healthchecks, { url: 'hc-ping.com/1' }],
  ];
  for (const [service, changes] of wrong)
    await assert.rejects(told(service, failure, changes), { code: 'notify.settings' });
});

test('a webhook that is sent again keeps its id and gets a new time', async () => {
  const seen: unknown[] = [];
  const service: Service = {
    ...httpServices.webhook,
    understand: ({ headers }) => seen.push([headers['webhook-id'], headers['webhook-timestamp']]),
  };
  const receiver = await startHttpReceiver(service);
  for (const seconds of [1_764_000_000, 1_764_000_600]) {
    const clock = { ...systemClock, nowMs: () => seconds * 1000 + 999 };
    await sendNotification(receiver.settings, failure, { policy, deliveryId: 'delivery-7', clock });
  }
  await receiver.stop();
  assert.deepEqual(seen, [
    ['delivery-7', '1764000000'],
    ['delivery-7', '1764000600'],
  ]);
});

test('the example of the guide tells our webhooks from all others', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/format/webhook.md'), 'utf8');
  const example = /```js\n(.*?)```/s.exec(page)![1]!;
  const { isFromHoldfast } = await import(`data:text/javascript,${encodeURIComponent(example)}`);
  const secrets = ['whsec_c2VjcmV0IG9mIHRoZSB3ZWJob29r', 'any text'];
  for (const secret of secrets) {
    let request: Received | undefined;
    const understand = (received: Received): unknown => {
      request = received;
      return received;
    };
    await told({ ...httpServices.webhook, understand }, failure, { secret });
    const { headers, body } = request!;
    const nowSeconds = Number(headers['webhook-timestamp']);
    const given = { headers, body, secret, nowSeconds };
    assert.equal(isFromHoldfast({ headers, body, secret }), true);
    assert.equal(isFromHoldfast(given), true);
    assert.equal(isFromHoldfast({ ...given, nowSeconds: nowSeconds + 301 }), false);
    assert.equal(isFromHoldfast({ ...given, body: `${body} ` }), false);
    assert.equal(isFromHoldfast({ ...given, secret: 'another' }), false);
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'])
      assert.equal(isFromHoldfast({ ...given, headers: { ...headers, [name]: undefined } }), false, name);
  }
});
