import type { ChannelSettings, Receipt, SendOptions } from './channel.ts';
import type { Notification } from './notification.ts';
import { loadChannel } from './registry.ts';

/**
 * Tells one notification on one channel, once.
 * @returns when the service acknowledged it
 * @throws NotifyError; OutboundError; the signal's reason. `nextAttemptDelayMs` says whether and when to try again
 */
export async function sendNotification(
  { kind, ...settings }: ChannelSettings,
  notification: Notification,
  options: SendOptions,
): Promise<Receipt> {
  const send = await loadChannel(kind);
  return send(settings as never, notification, options);
}
