import type { Channel } from '../channel.ts';
import { postJson, receiptOf } from '../post.ts';
import { factsOf, markOf, oneLine, shorten, titleOf } from '../wording.ts';

// Limits: Slack's reference of Block Kit.
const headerLengthMax = 150;
const textLengthMax = 3000;
const fieldsMax = 10;
const fieldLengthMax = 2000;

/** Incoming webhooks of Slack, with blocks. Mattermost and Rocket.Chat take the `text` of the same message. */
export const sendToSlack: Channel<'slack'> = async ({ url }, notification, options) => {
  const title = `${markOf(notification)} ${titleOf(notification)}`;
  const { message, nextStep, link } = notification;
  const fields = factsOf(notification)
    .slice(0, fieldsMax)
    .map(([name, value]) => markdown(`*${escapeMrkdwn(name)}*\n${escapeMrkdwn(value)}`, fieldLengthMax));
  const steps = [
    nextStep && `*Next step:* ${escapeMrkdwn(oneLine(nextStep))}`,
    link && `<${escapeMrkdwn(link)}|Open in Holdfast>`,
  ].filter(Boolean);
  const blocks = [
    { type: 'header', text: { type: 'plain_text', text: shorten(title, headerLengthMax), emoji: true } },
    { type: 'section', text: markdown(escapeMrkdwn(oneLine(message)), textLengthMax) },
    { type: 'section', fields },
    ...(steps.length > 0 ? [{ type: 'section', text: markdown(steps.join('\n'), textLengthMax) }] : []),
  ];
  const text = shorten(escapeMrkdwn(`${title}: ${oneLine(message)}`), textLengthMax);
  return receiptOf(await postJson(url, { body: { text, blocks } }, options));
};

function markdown(text: string, lengthMax: number): { type: string; text: string } {
  return { type: 'mrkdwn', text: shorten(text, lengthMax) };
}

/** No `<!channel>` and no link comes out of a name. */
function escapeMrkdwn(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
