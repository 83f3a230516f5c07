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

export const EmailChannel = z
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
export type EmailChannel = z.infer<typeof EmailChannel>;

export const WebhookChannel = z
  .strictObject({
    ...shared,
    kind: z.literal('webhook'),
    url: SecretUrl,
    secret: SecretRef.describe('signs what is sent (HMAC-SHA256)'),
  })
  .meta({ id: 'WebhookChannel' });
export type WebhookChannel = z.infer<typeof WebhookChannel>;

/** Services that are reached by one URL, which is itself a secret with most of them. */
export const UrlChannel = z
  .strictObject({
    ...shared,
    kind: z.enum(['slack', 'discord', 'teams', 'ntfy', 'telegram', 'healthchecks']),
    url: SecretUrl,
    token: SecretRef.optional(),
    chat: z.string().optional().describe('Telegram: the chat’s id'),
  })
  .meta({ id: 'UrlChannel' });
export type UrlChannel = z.infer<typeof UrlChannel>;

/** Where people are told. */
export const ChannelSpec = z
  .discriminatedUnion('kind', [EmailChannel, WebhookChannel, UrlChannel])
  .meta({ id: 'ChannelSpec' });
export type ChannelSpec = z.infer<typeof ChannelSpec>;

/** One attempt to tell something. */
export const Delivery = z
  .object({
    id: Id,
    channel: Name,
    eventId: Id.optional().describe('absent: a test'),
    at: Timestamp,
    attempt: z.int().min(1),
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
