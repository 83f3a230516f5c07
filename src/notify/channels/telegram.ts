import type { Channel } from '../channel.ts';
import { NotifyError } from '../errors.ts';
import { postJson, receiptOf } from '../post.ts';
import { escapeHtml, factsOf, markOf, oneLine, shorten, titleOf } from '../wording.ts';

// A message may have 4096 signs.
const titleLengthMax = 200;
const textLengthMax = 1000;
const factsMax = 12;
const nameLengthMax = 40;
const valueLengthMax = 100;
const stepLengthMax = 500;

/** Bots of Telegram, in its HTML. */
export const sendToTelegram: Channel<'telegram'> = async ({ url, token, chat }, notification, options) => {
  const place = URL.parse(url);
  const bot = token ? `/bot${token}` : place?.pathname.match(/^\/bot[^/]+/)?.[0];
  if (!place || !bot || !chat)
    throw new NotifyError('notify.settings', 'the token of a bot or the id of a chat is missing', {
      hint: 'Give the URL https://api.telegram.org, the token that BotFather told, and the id of the chat.',
    });
  const { message, nextStep, link } = notification;
  const text = [
    `<b>${markOf(notification)} ${short(titleOf(notification), titleLengthMax)}</b>`,
    short(oneLine(message), textLengthMax),
    '',
    ...factsOf(notification)
      .slice(0, factsMax)
      .map(([name, value]) => `<b>${short(name, nameLengthMax)}:</b> ${short(value, valueLengthMax)}`),
    ...(nextStep ? ['', `<b>Next step:</b> ${short(oneLine(nextStep), stepLengthMax)}`] : []),
    ...(link ? ['', `<a href="${escapeHtml(link)}">Open in Holdfast</a>`] : []),
  ].join('\n');
  const body = { chat_id: chat, text, parse_mode: 'HTML', link_preview_options: { is_disabled: true } };
  place.pathname = `${bot}/sendMessage`;
  const answer = await postJson(place.href, { body }, options);
  if ((answer.json as { ok?: unknown } | null | undefined)?.ok !== true)
    throw new NotifyError('notify.failed', `Telegram did not take it: ${answer.said}`);
  return receiptOf(answer);
};

function short(text: string, lengthMax: number): string {
  return escapeHtml(shorten(text, lengthMax));
}
