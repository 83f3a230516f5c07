import type { IncomingMessage, ServerResponse } from 'node:http';
import type {} from '@fastify/cookie';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';

/** Our Fastify: schemas of zod check what comes in, and shape what goes out. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;
