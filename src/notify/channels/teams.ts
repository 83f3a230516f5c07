import type { Channel } from '../channel.ts';
import { NotifyError } from '../errors.ts';
import { postJson, receiptOf } from '../post.ts';
import { factsOf, markOf, oneLine, shorten, type Tone, titleOf, toneOf } from '../wording.ts';

const colors: Record<Tone, string> = {
  recovery: 'good',
  info: 'default',
  warning: 'warning',
  error: 'attention',
  critical: 'attention',
};

// A message may have 28 KB.
const textLengthMax = 2000;
const factsMax = 20;
const factLengthMax = 300;

/** Workflows of Microsoft Teams, with an adaptive card. */
export const sendToTeams: Channel<'teams'> = async ({ url }, notification, options) => {
  const { message, nextStep, link } = notification;
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    msteams: { width: 'Full' },
    body: [
      line({
        text: shorten(`${markOf(notification)} ${titleOf(notification)}`, factLengthMax),
        weight: 'bolder',
        size: 'medium',
        color: colors[toneOf(notification)],
      }),
      line({ text: shorten(oneLine(message), textLengthMax) }),
      ...factsOf(notification)
        .slice(0, factsMax)
        .map(([name, value]) => named(name, value)),
      ...(nextStep ? [named('Next step', oneLine(nextStep))] : []),
    ],
    ...(link && { actions: [{ type: 'Action.OpenUrl', title: 'Open in Holdfast', url: link }] }),
  };
  const attachment = {
    contentType: 'application/vnd.microsoft.card.adaptive',
    contentUrl: null,
    content: card,
  };
  const answer = await postJson(url, { body: { type: 'message', attachments: [attachment] } }, options);
  // The older connectors answer 200 and tell of the error in the text.
  if (/failed|error/i.test(answer.said))
    throw new NotifyError('notify.failed', `Microsoft Teams did not deliver: ${answer.said}`);
  return receiptOf(answer);
};

interface TextRun {
  text: string;
  weight?: string;
  size?: string;
  color?: string;
}

/** Runs of text, unlike text blocks and facts, know no markdown: a name stays a name. */
function line(...runs: readonly TextRun[]): object {
  return {
    type: 'RichTextBlock',
    spacing: 'small',
    inlines: runs.map((run) => ({ type: 'TextRun', ...run })),
  };
}

function named(name: string, value: string): object {
  return line(
    { text: `${shorten(name, factLengthMax)}: `, weight: 'bolder' },
    { text: shorten(value, factLengthMax) },
  );
}
