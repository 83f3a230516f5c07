import type { Channel, ChannelKind } from './channel.ts';

/** Kind → how it is told. Its code is loaded when it is needed. */
const kinds: { [Kind in ChannelKind]: () => Promise<Channel<Kind>> } = {
  email: async () => (await import('./channels/email.ts')).sendByEmail,
  webhook: async () => (await import('./channels/webhook.ts')).sendToWebhook,
  slack: async () => (await import('./channels/slack.ts')).sendToSlack,
  discord: async () => (await import('./channels/discord.ts')).sendToDiscord,
  teams: async () => (await import('./channels/teams.ts')).sendToTeams,
  ntfy: async () => (await import('./channels/ntfy.ts')).sendToNtfy,
  telegram: async () => (await import('./channels/telegram.ts')).sendToTelegram,
  healthchecks: async () => (await import('./channels/healthchecks.ts')).sendToHealthchecks,
};

/** The channel of a kind. */
export async function loadChannel(kind: ChannelKind): Promise<Channel> {
  return (await kinds[kind]()) as Channel;
}
