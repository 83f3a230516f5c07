import { z } from 'zod';
import { Severity } from './event.ts';
import { Id, Labels, Name, Origin } from './name.ts';
import { Reason } from './problem.ts';
import { SecretRef, SecretUrl } from './secret.ts';
import { Span, Timestamp } from './time.ts';

const shared = {
  description: z.string().max(500).optional(),
  severity: Severity.optional().describe('and worse; default: warning'),
  labels: Labels.optional().describe('only events that have all of these'),
  events: z
    .array(z.string().regex(/^[a-z-]+\.(\*|[a-z-]+)$/, 'write a type such as job.failed or plan.*'))
    .min(1)
    .optional()
    .describe('only these types, such as job.failed or plan.*'),
  remind: Span.optional().describe('tell again so long as it lasts; default: 24h'),
  recovered: z.boolean().optional().describe('tell when it is well again; default: true'),
};

const EmailChannel = z
  .strictObject({
    ...shared,
    kind: z.literal('email'),
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).optional(),
    security: z.enum(['tls', 'starttls', 'none']).optional().describe('default: starttls, tls on port 465'),
    username: z.string().optional(),
    password: SecretRef.optional(),
    from: z.string().min(3),
    to: z.array(z.email()).min(1),
  })
  .meta({ id: 'EmailChannel' });

const WebhookChannel = z
  .strictObject({
    ...shared,
    kind: z.literal('webhook'),
    url: SecretUrl,
    secret: SecretRef.describe('signs what is sent (HMAC-SHA256)'),
  })
  .meta({ id: 'WebhookChannel' });

/** Chats that take messages at one URL, which is itself a secret with most of them. */
const ChatChannel = z
  .strictObject({ ...shared, kind: z.enum(['slack', 'discord', 'teams']), url: SecretUrl })
  .meta({ id: 'ChatChannel' });

const NtfyChannel = z
  .strictObject({
    ...shared,
    kind: z.literal('ntfy'),
    url: SecretUrl.describe('of the topic'),
    token: SecretRef.optional(),
  })
  .meta({ id: 'NtfyChannel' });

const TelegramChannel = z
  .strictObject({
    ...shared,
    kind: z.literal('telegram'),
    url: SecretUrl.describe('https://api.telegram.org'),
    token: SecretRef.optional().describe('of the bot, unless it is in the URL'),
    chat: z.string().min(1).describe('the chat’s id'),
  })
  .meta({ id: 'TelegramChannel' });

/** Pings: an alarm elsewhere when they stay away. */
const HealthchecksChannel = z
  .strictObject({
    ...shared,
    kind: z.literal('healthchecks'),
    url: SecretUrl,
    startUrl: SecretUrl.optional().describe('default: /start below the URL'),
    failUrl: SecretUrl.optional().describe('default: /fail below the URL'),
  })
  .meta({ id: 'HealthchecksChannel' });

/** Where people are told. */
export const ChannelSpec = z
  .discriminatedUnion('kind', [
    EmailChannel,
    WebhookChannel,
    ChatChannel,
    NtfyChannel,
    TelegramChannel,
    HealthchecksChannel,
  ])
  .meta({ id: 'ChannelSpec' });
export type ChannelSpec = z.infer<typeof ChannelSpec>;

/** One attempt to tell something. */
export const Delivery = z
  .object({
    id: Id,
    channel: Name,
    eventId: Id.optional().describe('absent: a test'),
    at: Timestamp,
    attempt: z.int().min(0).describe('0: not tried yet'),
    state: z.enum(['delivered', 'waiting', 'failed', 'suppressed']),
    reason: Reason.optional(),
  })
  .meta({ id: 'Delivery' });
export type Delivery = z.infer<typeof Delivery>;

/** A configured channel as the API shows it. */
export const Channel = z
  .object({
    id: Id,
    name: Name,
    origin: Origin,
    spec: ChannelSpec,
    lastDelivery: Delivery.optional(),
    createdAt: Timestamp,
    updatedAt: Timestamp,
    revision: z.int().min(1),
  })
  .meta({ id: 'Channel' });
export type Channel = z.infer<typeof Channel>;
