import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { HttpServices, Received } from './http-receiver.ts';

/** What each service takes, as its documentation says; anything that is not named there is refused. */

const webUrl = z.url({ protocol: /^https?$/ });
const plainText = (lengthMax: number) => z.string().min(1).max(lengthMax);

/** https://docs.slack.dev/reference/block-kit/blocks */
const slackMrkdwn = (lengthMax: number) =>
  z.strictObject({
    type: z.literal('mrkdwn'),
    text: plainText(lengthMax).regex(/^[^<]*(<https?:[^<>|]+\|[^<>]+>[^<]*)*$/),
  });
const slackMessage = z.strictObject({
  text: plainText(40_000).regex(/^[^<>]+$/),
  blocks: z
    .array(
      z.union([
        z.strictObject({
          type: z.literal('header'),
          text: z.strictObject({ type: z.literal('plain_text'), text: plainText(150), emoji: z.boolean() }),
        }),
        z.strictObject({ type: z.literal('section'), text: slackMrkdwn(3000) }),
        z.strictObject({ type: z.literal('section'), fields: z.array(slackMrkdwn(2000)).min(1).max(10) }),
      ]),
    )
    .max(50),
});

/** https://discord.com/developers/docs/resources/message#embed-object */
const discordMessage = z.strictObject({
  allowed_mentions: z.strictObject({ parse: z.array(z.never()) }),
  embeds: z
    .array(
      z
        .strictObject({
          title: plainText(256),
          description: plainText(4096),
          url: webUrl.optional(),
          color: z.int().min(0).max(0xffffff),
          timestamp: z.iso.datetime(),
          fields: z
            .array(z.strictObject({ name: plainText(256), value: plainText(1024), inline: z.boolean() }))
            .max(25),
          footer: z.strictObject({ text: plainText(2048) }),
        })
        .refine(
          ({ title, description, fields, footer }) =>
            [title, description, footer.text, ...fields.flatMap(({ name, value }) => [name, value])].join('')
              .length <= 6000,
        ),
    )
    .min(1)
    .max(10),
});

/** https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors, https://adaptivecards.io/explorer */
const teamsMessage = z.strictObject({
  type: z.literal('message'),
  attachments: z.tuple([
    z.strictObject({
      contentType: z.literal('application/vnd.microsoft.card.adaptive'),
      contentUrl: z.null(),
      content: z.strictObject({
        $schema: z.literal('http://adaptivecards.io/schemas/adaptive-card.json'),
        type: z.literal('AdaptiveCard'),
        version: z.enum(['1.2', '1.3', '1.4', '1.5']),
        msteams: z.strictObject({ width: z.literal('Full') }),
        body: z
          .array(
            z.strictObject({
              type: z.literal('RichTextBlock'),
              spacing: z.enum(['none', 'small', 'default', 'medium', 'large']),
              inlines: z.array(
                z.strictObject({
                  type: z.literal('TextRun'),
                  text: z.string().min(1),
                  weight: z.enum(['lighter', 'default', 'bolder']).optional(),
                  size: z.enum(['small', 'default', 'medium', 'large']).optional(),
                  color: z.enum(['default', 'accent', 'good', 'warning', 'attention']).optional(),
                }),
              ),
            }),
          )
          .min(1),
        actions: z
          .array(z.strictObject({ type: z.literal('Action.OpenUrl'), title: z.string(), url: webUrl }))
          .max(6)
          .optional(),
      }),
    }),
  ]),
});

/** https://docs.ntfy.sh/publish/#publish-as-json */
const ntfyMessage = z.strictObject({
  topic: z.string().regex(/^[-_A-Za-z0-9]{1,64}$/),
  title: plainText(250),
  message: z.string().refine((text) => text !== '' && Buffer.byteLength(text) <= 4096),
  priority: z.int().min(1).max(5),
  tags: z.array(z.string()),
  click: webUrl.optional(),
  actions: z
    .array(z.strictObject({ action: z.literal('view'), label: z.string(), url: webUrl }))
    .max(3)
    .optional(),
});

/** https://core.telegram.org/bots/api#sendmessage, #html-style */
const telegramMessage = z.strictObject({
  chat_id: z.string().min(1),
  text: z.string().min(1).refine(isTelegramHtml),
  parse_mode: z.literal('HTML'),
  link_preview_options: z.strictObject({ is_disabled: z.boolean() }),
});

/** Tags that it knows, closed again; entities that it knows; 4096 signs when they are read. */
function isTelegramHtml(text: string): boolean {
  const rest = text
    .replace(/<b>([^<>]*)<\/b>/g, '$1')
    .replace(/<a href="https?:[^"<>]*">([^<>]*)<\/a>/g, '$1');
  const read = rest.replace(/&(lt|gt|amp|quot|#39);/g, '.');
  return !/[<>&]/.test(read) && read.length <= 4096;
}

/** docs/format/webhook.md */
const webhookBody = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  title: z.string(),
  type: z.string(),
  severity: z.enum(['info', 'warning', 'error', 'critical']),
  state: z.string(),
  subject: z.strictObject({ kind: z.string(), name: z.string() }),
  message: z.string(),
  since: z.iso.datetime(),
  at: z.iso.datetime(),
  figures: z.array(
    z.strictObject({ name: z.string(), usual: z.string().optional(), now: z.string().optional() }),
  ),
  link: z.string().optional(),
  nextStep: z.string().optional(),
  host: z.string().optional(),
  labels: z.record(z.string(), z.string()),
  dedupeKey: z.string(),
  isRecovery: z.boolean(),
  recovers: z.strictObject({ type: z.string(), severity: z.string() }).optional(),
  jobId: z.string().optional(),
});

const webhookSecret = 'whsec_c2VjcmV0IG9mIHRoZSB3ZWJob29r';

function readJson(shape: z.ZodType, { method, headers, body }: Received): unknown {
  assert.equal(method, 'POST');
  assert.equal(headers['content-type'], 'application/json');
  return shape.parse(JSON.parse(body));
}

/** Shape of a service that takes JSON at one path. */
const jsonAt = (path: string, shape: z.ZodType) => (request: Received) => {
  assert.equal(request.url, path);
  return readJson(shape, request);
};

const teamsPath = '/workflows/0123abcd/triggers/manual/paths/invoke?api-version=1&sig=s1GnaTure';
const ping = '/5f2c6d1e-aaaa-4bbb-8ccc-0123456789ab';

export const httpServices: HttpServices = {
  slack: {
    settings: (base) => ({ kind: 'slack', url: `${base}/services/T0001/B0002/sLaCkSeCrEt` }),
    secrets: ['sLaCkSeCrEt'],
    understand: jsonAt('/services/T0001/B0002/sLaCkSeCrEt', slackMessage),
    answer: { status: 200, body: 'ok' },
  },
  discord: {
    settings: (base) => ({ kind: 'discord', url: `${base}/api/webhooks/1234/dIsCoRdSeCrEt` }),
    secrets: ['dIsCoRdSeCrEt'],
    understand: jsonAt('/api/webhooks/1234/dIsCoRdSeCrEt', discordMessage),
    answer: { status: 204 },
  },
  teams: {
    settings: (base) => ({ kind: 'teams', url: `${base}${teamsPath}` }),
    secrets: ['s1GnaTure'],
    understand: (request) => {
      assert.ok(request.body.length < 28 * 1024);
      return jsonAt(teamsPath, teamsMessage)(request);
    },
    answer: { status: 202 },
  },
  ntfy: {
    settings: (base) => ({ kind: 'ntfy', url: `${base}/backups`, token: 'tk_ntfyS3cret' }),
    secrets: ['tk_ntfyS3cret'],
    understand: (request) => {
      assert.equal(request.headers.authorization, 'Bearer tk_ntfyS3cret');
      return jsonAt('/', ntfyMessage)(request);
    },
    answer: { status: 200, body: '{"id":"1","event":"message"}' },
  },
  telegram: {
    settings: (base) => ({ kind: 'telegram', url: base, token: '123:tElEgRaM', chat: '-100777' }),
    secrets: ['123:tElEgRaM', 'tElEgRaM'],
    understand: jsonAt('/bot123:tElEgRaM/sendMessage', telegramMessage),
    answer: { status: 200, body: '{"ok":true,"result":{"message_id":1}}' },
  },
  healthchecks: {
    settings: (base) => ({ kind: 'healthchecks', url: `${base}${ping}` }),
    secrets: [ping.slice(1)],
    understand: ({ method, url, body }) => {
      assert.equal(method, 'POST');
      assert.match(url, new RegExp(`^${ping}(/(start|fail|log|\\d+))?(\\?rid=[0-9a-f-]{36})?$`));
      assert.ok(Buffer.byteLength(body) <= 100_000);
      return { signal: url.slice(ping.length), body };
    },
    answer: { status: 200, body: 'OK' },
  },
  webhook: {
    settings: (base) => ({ kind: 'webhook', url: `${base}/hook/wEbHoOk`, secret: webhookSecret }),
    secrets: ['wEbHoOk', webhookSecret, 'secret of the webhook'],
    understand: (request) => {
      const {
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signature,
      } = request.headers;
      const sign = createHmac('sha256', 'secret of the webhook').update(`${id}.${timestamp}.${request.body}`);
      assert.equal(signature, `v1,${sign.digest('base64')}`);
      assert.match(String(timestamp), /^\d{10}$/);
      return jsonAt('/hook/wEbHoOk', webhookBody)(request);
    },
    answer: { status: 204 },
  },
};
