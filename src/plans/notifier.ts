import { type Clock, type OutboundPolicy, outboundPolicy } from '#base';
import type { Configured, DeliveryRecord, EventRecord } from '#catalog';
import type { ChannelSpec } from '#contract';
import { reasonOf } from '#jobs';
import {
  type Notification,
  nextAttemptDelayMs,
  recoveryOf,
  routeNotification,
  type SentNotification,
  sendNotification,
  shouldSend,
} from '#notify';
import { remindMsOf, ruleOf, settingsOf } from './channel-settings.ts';
import { notificationOf, type TellingOptions } from './notification-of.ts';
import type { Surroundings } from './open-specs.ts';
import type { Records } from './records.ts';

export interface NotifierOptions extends TellingOptions {
  records: Records;
  surroundings: Surroundings;
  clock: Clock;
  /** Where addresses may lead; default: private networks too. */
  policy?: OutboundPolicy;
  /** Told of what goes wrong beside single deliveries. */
  onProblem(error: unknown): void;
}

const pauseMs = 2000;
const changesAtOnce = 500;
const deliveriesAtOnce = 20;
/** So long one server tells; another one takes over when it is silent. */
const leaseMs = 60_000;

const cursorName = 'notify.cursor';
const leaseName = 'notify.lease';
/** Ends of a trouble. */
const goodEnds = new Set(['job.succeeded', 'plan.recovered']);

/** How far the journal was told: by the number of a change, and of the last event. */
interface Cursor {
  change: number;
  event: number;
}

/** Tells people of what the journal says: decides who hears of it, and sends until it is taken. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #holder: string;
  #cursor: Cursor | undefined;

  /** @param holder unique to this process */
  constructor(options: NotifierOptions, holder: string) {
    this.#options = options;
    this.#holder = holder;
  }

  /** Works until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.pass(signal).catch((error: unknown) => {
        if (!signal.aborted) this.#options.onProblem(error);
      });
      // Only the signal ends a rest early.
      await this.#options.clock.sleep(pauseMs, { signal }).catch(() => {});
    }
  }

  /** Looks once at what is new, and sends what is due. */
  async pass(signal: AbortSignal): Promise<void> {
    if (await this.#isTelling()) await this.#readJournal();
    const { records } = this.#options;
    for (const delivery of await records.deliveries.claimDue({ limit: deliveriesAtOnce }))
      await this.#send(delivery, signal);
  }

  /** Of several servers on one catalog, one reads the journal. */
  async #isTelling(): Promise<boolean> {
    const { records, clock } = this.#options;
    const nowMs = clock.nowMs();
    const known = await records.settings.find<{ holder: string; untilMs: number }>(leaseName);
    const leftMs = known ? known.untilMs - nowMs : 0;
    // A clock that was put back must not silence anybody.
    const isHeld = leftMs > 0 && leftMs <= leaseMs;
    if (isHeld && known!.holder !== this.#holder) return false;
    if (isHeld && leftMs > leaseMs / 2) return true;
    this.#cursor = known?.holder === this.#holder ? this.#cursor : undefined;
    const to = { holder: this.#holder, untilMs: nowMs + leaseMs };
    return records.settings.swap(leaseName, { from: known, to });
  }

  async #readJournal(): Promise<void> {
    const { records } = this.#options;
    const { journal, settings } = records;
    this.#cursor ??= await settings.find<Cursor>(cursorName);
    if (!this.#cursor) {
      // What was before anybody listened is not told.
      const [newest] = await journal.events({ limit: 1 });
      this.#cursor = { change: await journal.newestChange(), event: newest?.number ?? 0 };
      await settings.save(cursorName, this.#cursor);
      return;
    }
    const { change, event } = this.#cursor;
    const { changes, isComplete } = await journal.changesAfter(change, changesAtOnce);
    const last = isComplete ? changes.at(-1)?.number : await journal.newestChange();
    const numbers = changes.flatMap((each) => (each.change.type === 'event' ? [each.change.number] : []));
    const events = isComplete
      ? await journal.eventsOf(numbers)
      : await journal.eventsAfter(event, changesAtOnce);
    for (const each of events) await this.#route(each);
    this.#cursor = { change: last ?? change, event: events.at(-1)?.number ?? event };
    // Writing it down is a change itself; without news nothing needs to be known again.
    if (events.length > 0) await settings.save(cursorName, this.#cursor);
  }

  async #route(event: EventRecord): Promise<void> {
    const { records } = this.#options;
    const notification = await notificationOf(records, event, this.#options);
    const named = event.plan ? (await records.plans.find(event.plan))?.spec.notify : undefined;
    for (const channel of await records.channels.list())
      if (!named || named.includes(channel.name)) await this.#offer(channel, notification, event.number);
  }

  async #offer(
    { name: channel, spec }: Configured<ChannelSpec>,
    news: Notification,
    eventNumber: number,
  ): Promise<void> {
    const { records, clock } = this.#options;
    const { dedupeKey } = news;
    const last = await records.deliveries.lastTold({ channel, dedupeKey });
    const told = last && notificationIn(last);
    const notification = spec.kind === 'healthchecks' ? news : asPartOf(told, news);
    const [route] = routeNotification([ruleOf(channel, spec)], notification);
    if (!route) return;
    const delivery = { channel, eventNumber, notification, dedupeKey };
    const isAlways = route.isHeartbeat || (notification.severity === 'info' && !notification.recovers);
    const verdict = shouldSend(told ? [sentOf(last, told)] : [], notification, {
      now: new Date(clock.nowMs()),
      remindMs: remindMsOf(spec),
    });
    if (isAlways || verdict.send) await records.deliveries.add(delivery);
    else if (verdict.reason === 'repeated')
      await records.deliveries.add(delivery, {
        code: 'notify.repeated',
        message: 'the same was told before and still lasts',
      });
  }

  async #send(delivery: DeliveryRecord, signal: AbortSignal): Promise<void> {
    const { records, surroundings, clock, policy } = this.#options;
    const { deliveries } = records;
    try {
      const { spec } = await records.channels.get(delivery.channel);
      const settings = await settingsOf(spec, surroundings);
      const { answer } = await sendNotification(settings, notificationIn(delivery), {
        deliveryId: delivery.id,
        policy: policy ?? outboundPolicy({ privateAddresses: true }),
        clock,
        signal,
      });
      const reason = { code: 'notify.answer', message: answer };
      await deliveries.settle(delivery, { state: 'delivered', reason });
    } catch (error) {
      // Stopped in the middle, it is tried again when its claim is over.
      if (signal.aborted) return;
      const reason = reasonOf(error);
      const delayMs = nextAttemptDelayMs(delivery.attempt, error);
      await deliveries.settle(
        delivery,
        delayMs === undefined
          ? { state: 'failed', reason }
          : { state: 'waiting', nextAt: new Date(clock.nowMs() + delayMs), reason },
      );
    }
  }
}

/** What one channel was told before decides whether this goes on, or is the end. */
function asPartOf(told: Notification | undefined, news: Notification): Notification {
  if (!told || told.recovers || told.severity === 'info') return news;
  if (!goodEnds.has(news.type)) return { ...news, since: told.since };
  const { type, state, message, at, figures, link, jobId } = news;
  return recoveryOf(told, {
    ...{ type, state, message, at, figures },
    ...(link && { link }),
    ...(jobId && { jobId }),
  });
}

/** As it was kept, through JSON. */
function notificationIn({ notification }: DeliveryRecord): Notification {
  const kept = notification as Notification & { since: string; at: string };
  return { ...kept, since: new Date(kept.since), at: new Date(kept.at) };
}

function sentOf({ at }: DeliveryRecord, told: Notification): SentNotification {
  const { dedupeKey, type, severity, recovers } = told;
  return { dedupeKey, sentAt: at, type, severity, isRecovery: recovers !== undefined };
}

/** A message that tries a channel out: it goes the way of all others. */
export async function tellTest(
  records: Records,
  channel: Pick<Configured<ChannelSpec>, 'name'>,
  { host, url, by, nowMs }: TellingOptions & { by: string; nowMs: number },
): Promise<DeliveryRecord> {
  const at = new Date(nowMs);
  const notification: Notification = {
    type: 'channel.test',
    severity: 'info',
    state: 'test',
    subject: { kind: 'channel', name: channel.name },
    message: `${by} tries this channel out: it works.`,
    since: at,
    at,
    figures: [],
    link: url,
    host,
    labels: {},
    dedupeKey: `channel:${channel.name}:test`,
  };
  return records.deliveries.add({ channel: channel.name, notification });
}
