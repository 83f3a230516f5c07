import type { Channel } from '../channel.ts';
import { NotifyError } from '../errors.ts';
import type { Notification } from '../notification.ts';
import { call, receiptOf } from '../post.ts';
import { plainTextOf, shorten, titleOf } from '../wording.ts';

type Signal = 'start' | 'success' | 'fail' | 'log';

/** States of jobs → what is told. `warning` kept all of the data, so the plan is alive; its text says what is odd. */
const signals: Record<string, Signal> = {
  running: 'start',
  succeeded: 'success',
  warning: 'success',
  partial: 'fail',
  failed: 'fail',
  missed: 'fail',
  interrupted: 'fail',
  cancelled: 'fail',
};

const textLengthMax = 10_000;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Pings that are missed when they do not come: Healthchecks, and what speaks like it (Cronitor, Uptime Kuma …). */
export const sendToHealthchecks: Channel<'healthchecks'> = async (settings, notification, options) => {
  const body = shorten(`${titleOf(notification)}\n\n${plainTextOf(notification)}`, textLengthMax);
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  const answer = await call(pingUrl(settings, notification), { method: 'POST', body, headers }, options);
  // Some servers answer 200 to a ping that they ignore.
  if (/not found|rate limited|"ok":\s*false/i.test(answer.said))
    throw new NotifyError('notify.refused', `the ping was not counted: ${answer.said}`, {
      hint: 'Look whether the URL of the check is right.',
    });
  return receiptOf(answer);
};

function pingUrl(
  { url, startUrl, failUrl }: { url: string; startUrl?: string | undefined; failUrl?: string | undefined },
  { type, state, jobId }: Notification,
): string {
  // Only what is told of a job is its life; anything else is noted and changes nothing.
  const signal: Signal = type.startsWith('job.') ? (signals[state] ?? 'log') : 'log';
  const own = { start: startUrl, fail: failUrl, success: url, log: undefined }[signal];
  const place = URL.parse(own ?? url);
  if (!place)
    throw new NotifyError('notify.settings', 'the address of the check is no URL', {
      hint: 'Write the URL that the service shows, such as https://hc-ping.com/UUID.',
    });
  if (own === undefined) place.pathname = `${place.pathname.replace(/\/$/, '')}/${signal}`;
  if (jobId && uuid.test(jobId)) place.searchParams.set('rid', jobId);
  return place.href;
}
