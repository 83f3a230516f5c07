import { createHmac } from 'node:crypto';
import { systemClock } from '#base';
import type { Channel } from '../channel.ts';
import { NotifyError } from '../errors.ts';
import type { Notification } from '../notification.ts';
import { call, receiptOf } from '../post.ts';
import { titleOf } from '../wording.ts';

/** Signed JSON, as docs/format/webhook.md says; the signature is that of Standard Webhooks. */
export const sendToWebhook: Channel<'webhook'> = async ({ url, secret }, notification, options) => {
  const { deliveryId, clock = systemClock } = options;
  if (secret === '')
    throw new NotifyError('notify.settings', 'a webhook needs a secret that signs what is sent', {
      hint: 'Make one of 32 random bytes: openssl rand -base64 32.',
    });
  const body = JSON.stringify(bodyOf(notification, deliveryId));
  const timestamp = String(Math.floor(clock.nowMs() / 1000));
  const signature = createHmac('sha256', keyOf(secret))
    .update(`${deliveryId}.${timestamp}.${body}`)
    .digest('base64');
  const headers = {
    'content-type': 'application/json',
    'webhook-id': deliveryId,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  };
  return receiptOf(await call(url, { method: 'POST', body, headers }, options));
};

function bodyOf(notification: Notification, id: string): object {
  const { recovers, since, at, ...rest } = notification;
  return {
    version: 1,
    id,
    title: titleOf(notification),
    ...rest,
    since: since.toISOString(),
    at: at.toISOString(),
    isRecovery: recovers !== undefined,
    ...(recovers && { recovers }),
  };
}

function keyOf(secret: string): Buffer {
  return secret.startsWith('whsec_')
    ? Buffer.from(secret.slice('whsec_'.length), 'base64')
    : Buffer.from(secret);
}
