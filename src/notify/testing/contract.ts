import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { outboundPolicy } from '#base';
import type { Receipt, SendOptions } from '../channel.ts';
import type { Notification } from '../notification.ts';
import { sendNotification } from '../send-notification.ts';
import { bare, failure, nasty, recovery } from './examples.ts';
import type { Behaviour, Receiver } from './receiver.ts';

interface Given {
  name: string;
  start(): Promise<Receiver>;
  skip?: readonly { reason: string; cases: readonly string[] }[];
}

const timeoutMs = 10_000;
const policy = outboundPolicy({ privateAddresses: true });

type Send = (notification: Notification, options?: Partial<SendOptions>) => Promise<Receipt>;
type Case = (receiver: Receiver, send: Send) => Promise<void>;

/** What every kind of channel promises. */
export function channelContract({ name, start, skip = [] }: Given): void {
  describe(`${name} keeps the contract of a channel`, () => {
    let receiver: Receiver;
    before(async () => {
      receiver = await start();
    });
    after(() => receiver.stop());
    beforeEach(() => receiver.behave('take'));

    const send: Send = (notification, options = {}) => {
      const { settings, certificates, resolve } = receiver;
      return sendNotification(settings, notification, {
        ...{ policy, timeoutMs, certificates, resolve, deliveryId: 'delivery-1' },
        ...options,
      });
    };
    for (const { cases } of skip)
      for (const title of cases) assert.ok(title in contract, `there is no case "${title}"`);
    for (const [title, run] of Object.entries(contract))
      if (!skip.some(({ cases }) => cases.includes(title))) test(title, () => run(receiver, send));
  });
}

const contract: Record<string, Case> = {
  'tells everything that there is to tell, in a form that the service takes': async (receiver, send) => {
    for (const notification of [failure, bare, recovery, { ...failure, severity: 'critical' as const }]) {
      const count = receiver.taken.length;
      const receipt = await send(notification);
      assert.equal(receiver.taken.length, count + 1);
      assert.notEqual(receipt.answer, '');
    }
  },

  'keeps names that try to be more than text, and any length, within the form': async (receiver, send) => {
    const count = receiver.taken.length;
    await send(nasty);
    assert.equal(receiver.taken.length, count + 1);
  },

  'says that a service which answers "fail" may take it later': failing(
    'fail',
    'soon',
    /^notify\.(failed|busy)$/,
  ),
  'says that a service which answers "busy" may take it later': failing('busy', 'soon', /^notify\.busy$/),
  'says that a connection which breaks may hold later': failing(
    'reset',
    'soon',
    /^(notify\.failed|outbound\.unreachable)$/,
  ),
  'says that a refusal stays one': failing('refuse', 'never', /^notify\.refused$/),
  'says that a login which is refused stays so': failing('login', 'never', /^notify\.login$/),
  'follows no redirect': failing('redirect', 'never', /^notify\.refused$/),

  'waits as long as the service asks': async (receiver, send) => {
    receiver.behave('busy');
    const error = await rejected(send(failure));
    assert.deepEqual(error.context, { retryAfterMs: 7000 });
  },

  'gives up on a service that is silent': async (receiver, send) => {
    receiver.behave('hang');
    const error = await rejected(send(failure, { timeoutMs: 80 }));
    assert.equal(error.code, 'outbound.timeout');
    assert.equal(error.retry, 'soon');
    holdsNoSecret(error, receiver.secrets);
  },

  'stops at once when its signal says so': async (receiver, send) => {
    receiver.behave('hang');
    const stopping = new AbortController();
    const error = rejected(send(failure, { signal: stopping.signal }));
    stopping.abort(new Error('enough'));
    assert.equal((await error).message, 'enough');
  },

  'makes no connection to where the policy forbids it': async (receiver, send) => {
    const count = receiver.connectionCount();
    const error = await rejected(send(failure, { policy: outboundPolicy({ privateAddresses: false }) }));
    assert.equal(error.code, 'outbound.forbidden');
    assert.equal(error.retry, 'never');
    assert.equal(receiver.connectionCount(), count);
    holdsNoSecret(error, receiver.secrets);
  },
};

function failing(behaviour: Behaviour, retry: string, codes: RegExp): Case {
  return async (receiver, send) => {
    receiver.behave(behaviour);
    const count = receiver.taken.length;
    const error = await rejected(send(failure));
    assert.match(String(error.code), codes);
    assert.equal(error.retry, retry);
    if (retry === 'never') assert.match(String(error.hint), /^[A-Z].*\.$/);
    assert.equal(receiver.taken.length, count);
    holdsNoSecret(error, receiver.secrets);
  };
}

async function rejected(sent: Promise<Receipt>): Promise<Error & Record<string, unknown>> {
  const [outcome] = await Promise.allSettled([sent]);
  assert.equal(outcome.status, 'rejected');
  return outcome.reason;
}

/** All of an error that could get into a log. */
function holdsNoSecret(error: Error, secrets: readonly string[]): void {
  const text = inspect(error, { depth: 10, showHidden: true }) + error.stack;
  for (const secret of secrets) assert.ok(!text.includes(secret), `a secret stands in: ${text}`);
}
