import type { Channel } from '../channel.ts';
import { postJson, receiptOf } from '../post.ts';
import { factsOf, markOf, oneLine, shorten, type Tone, titleOf, toneOf } from '../wording.ts';

const colors: Record<Tone, number> = {
  recovery: 0x2e7d32,
  info: 0x1565c0,
  warning: 0xf9a825,
  error: 0xc62828,
  critical: 0x6a1b9a,
};

// Limits: Discord's reference of embeds; all texts of one together may have 6000.
const titleLengthMax = 256;
const textLengthMax = 2000;
const fieldsMax = 12;
const fieldNameLengthMax = 60;
const fieldLengthMax = 200;

/** Webhooks of Discord, with an embed. */
export const sendToDiscord: Channel<'discord'> = async ({ url }, notification, options) => {
  const { message, nextStep, link, at } = notification;
  const description = [
    escapeMarkdown(oneLine(message)),
    ...(nextStep ? [`**Next step:** ${escapeMarkdown(oneLine(nextStep))}`] : []),
  ].join('\n\n');
  const embed = {
    title: shorten(`${markOf(notification)} ${titleOf(notification)}`, titleLengthMax),
    description: shorten(description, textLengthMax),
    color: colors[toneOf(notification)],
    timestamp: at.toISOString(),
    ...(link && { url: link }),
    fields: factsOf(notification)
      .slice(0, fieldsMax)
      .map(([name, value]) => ({
        name: shorten(escapeMarkdown(name), fieldNameLengthMax),
        value: shorten(escapeMarkdown(value), fieldLengthMax),
        inline: true,
      })),
    footer: { text: 'Holdfast' },
  };
  // Without allowed mentions, a name such as @everyone rings nobody's telephone.
  const body = { embeds: [embed], allowed_mentions: { parse: [] } };
  return receiptOf(await postJson(url, { body }, options));
};

function escapeMarkdown(text: string): string {
  return text.replace(/[\\*_~`|[\]()]|^[#>-]/g, '\\$&');
}
