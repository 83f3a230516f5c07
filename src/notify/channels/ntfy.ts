import type { Channel } from '../channel.ts';
import { NotifyError } from '../errors.ts';
import { postJson, receiptOf } from '../post.ts';
import { plainTextOf, shorten, type Tone, titleOf, toneOf } from '../wording.ts';

/** Priority (1 to 5) and the tag that ntfy shows as a mark. */
const urgencies: Record<Tone, [priority: number, tag: string]> = {
  recovery: [3, 'white_check_mark'],
  info: [2, 'information_source'],
  warning: [3, 'warning'],
  error: [4, 'x'],
  critical: [5, 'rotating_light'],
};

// A message of more than 4096 bytes becomes an attachment; a unit of UTF-16 takes 3 bytes at most.
const textLengthMax = 1365;
const titleLengthMax = 250;

/** ntfy, as JSON to the root of the server, because headers are no place for every letter. */
export const sendToNtfy: Channel<'ntfy'> = async ({ url, token }, notification, options) => {
  const place = URL.parse(url);
  const topic = place?.pathname.slice(1).replace(/\/$/, '');
  if (!place || !topic || topic.includes('/'))
    throw new NotifyError('notify.settings', 'the URL names no topic of ntfy', {
      hint: 'Write the URL of a topic, such as https://ntfy.example.org/backups.',
    });
  const [priority, tag] = urgencies[toneOf(notification)];
  const { link } = notification;
  const body = {
    topic: decodeURIComponent(topic),
    title: shorten(titleOf(notification), titleLengthMax),
    message: shorten(plainTextOf(notification), textLengthMax),
    priority,
    tags: [tag],
    ...(link && { click: link, actions: [{ action: 'view', label: 'Open', url: link }] }),
  };
  place.pathname = '/';
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  return receiptOf(await postJson(place.href, { body, headers }, options));
};
