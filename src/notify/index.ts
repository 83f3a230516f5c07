// How people are told: kinds of channels, who is told of what, and how often. It keeps nothing; who calls records.
export type { ChannelKind, ChannelSettings, Receipt, SendOptions } from './channel.ts';
export { NotifyError } from './errors.ts';
export { deliveryDelaysMs, nextAttemptDelayMs } from './next-attempt.ts';
export { type Figure, type Notification, recoveryOf, type Severity } from './notification.ts';
export { type Route, type RoutingRule, routeNotification } from './route-notification.ts';
export { sendNotification } from './send-notification.ts';
export { remindMsDefault, type SentNotification, shouldSend, type Verdict } from './should-send.ts';
