import type { Clock, OutboundOptions } from '#base';
import type { Notification } from './notification.ts';

interface UrlSettings {
  url: string;
}

/** What each kind of channel is told with. Secrets stand in clear here, so this is never shown or kept. */
export interface SettingsByKind {
  email: {
    host: string;
    /** Default: 465 with `tls`, else 587; 25 with `none`. */
    port?: number | undefined;
    /** Default: `tls` on port 465, else `starttls`, without which nothing is sent. */
    security?: 'tls' | 'starttls' | 'none' | undefined;
    username?: string | undefined;
    password?: string | undefined;
    from: string;
    to: readonly string[];
  };
  webhook: UrlSettings & {
    /** The key of the signature; `whsec_` and base64, or any text. */
    secret: string;
  };
  slack: UrlSettings;
  discord: UrlSettings;
  /** Of a workflow that "posts to a channel when a webhook request is received". */
  teams: UrlSettings;
  /** The URL of the topic. */
  ntfy: UrlSettings & { token?: string | undefined };
  /** `https://api.telegram.org`, with the bot's token here or in the URL (`/bot123:ABC`). */
  telegram: UrlSettings & { token?: string | undefined; chat: string };
  /** Pings by URL; start and failure are told at `/start` and `/fail` below it, unless they have URLs of their own. */
  healthchecks: UrlSettings & { startUrl?: string | undefined; failUrl?: string | undefined };
}

export type ChannelKind = keyof SettingsByKind;

/** The settings of any kind: `{ kind: 'slack', url }`. */
export type ChannelSettings = {
  [Kind in ChannelKind]: { kind: Kind } & SettingsByKind[Kind];
}[ChannelKind];

/** `timeoutMs` is for all of one attempt. */
export interface SendOptions extends OutboundOptions {
  /** Stays the same when the same notification is sent again, so that a receiver knows it. */
  deliveryId: string;
  /** Default: the system's. */
  clock?: Clock | undefined;
}

/** What the service said when it took a notification: `HTTP 200`, `250 2.0.0 queued`. For the log of deliveries. */
export interface Receipt {
  answer: string;
}

/**
 * One kind of channel. It tries once: who sends again, and when, is the caller's affair. Done is what the service
 * acknowledged; anything else is thrown. Every kind passes testing/contract.ts.
 * @throws NotifyError; OutboundError; the signal's reason. None holds a secret: hosts are named, URLs are not
 */
export type Channel<Kind extends ChannelKind = ChannelKind> = (
  settings: SettingsByKind[Kind],
  notification: Notification,
  options: SendOptions,
) => Promise<Receipt>;
