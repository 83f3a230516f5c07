import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { callerOfRequest } from './guard.ts';

/** Who does not know whether a request arrived sends it again with the same key, and gets the job that it made. */
export const IdempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'use up to 200 letters, digits and signs without spaces')
    .optional()
    .describe('sent again with the same key, a request makes no second job'),
});

/** The key of the job that a request makes: one caller’s keys are not another’s, and one route’s not another’s. */
export function idempotencyOf(request: FastifyRequest): { idempotencyKey?: string } {
  const { 'idempotency-key': key } = request.headers;
  if (typeof key !== 'string') return {};
  const [path] = request.url.split('?');
  return { idempotencyKey: `${callerOfRequest(request).user.id} ${request.method} ${path} ${key}` };
}
