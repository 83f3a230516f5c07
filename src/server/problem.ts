import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { HoldfastError, messageOf } from '#base';
import type { Problem } from '#contract';
import { ServerError } from './errors.ts';

/** Answers every error as application/problem+json (RFC 9457), and tells nothing that it should not. */
export function answerProblems(app: FastifyInstance, onUnforeseen: (error: unknown) => void): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (knownOf(error).code === 'server.unforeseen') onUnforeseen(error);
    return sendProblem(error, request, reply);
  });
  app.setNotFoundHandler((request) => {
    throw new ServerError(
      'server.not-found',
      `there is nothing at ${request.method} ${request.url.split('?')[0]}`,
      {
        hint: 'The API is described at /api/v1/openapi.json.',
      },
    );
  });
}

export function sendProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = knownOf(error);
  const waitMs = known.context.waitMs;
  if (typeof waitMs === 'number') reply.header('retry-after', Math.ceil(waitMs / 1000));
  return reply
    .status(known.httpStatus)
    .type('application/problem+json')
    .send(JSON.stringify({ ...problemOf(known), requestId: request.id, ...faultsOf(error) }));
}

function knownOf(error: FastifyError): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const { statusCode = 500 } = error;
  if (statusCode === 413)
    return new ServerError('server.too-large', 'the request is too large', { hint: 'Send 1 MiB at most.' });
  if (statusCode === 415)
    return new ServerError('server.media-type', 'the body of the request is not JSON', {
      hint: 'Send JSON, with the header Content-Type: application/json.',
    });
  if (statusCode >= 400 && statusCode < 500)
    return new ServerError(
      'server.request',
      hasZodFastifySchemaValidationErrors(error) ? 'the request is not as it must be' : messageOf(error),
      { hint: 'Compare it with /api/v1/openapi.json.' },
    );
  return new ServerError('server.unforeseen', 'the server met a fault of its own', {
    hint: 'Look into the server’s log; a report with it helps.',
  });
}

function problemOf({ code, message, hint, httpStatus }: HoldfastError): Problem {
  return {
    type: `urn:holdfast:error:${code}`,
    title: message,
    status: httpStatus,
    code,
    detail: message,
    ...(hint && { hint }),
  };
}

function faultsOf(error: FastifyError): Pick<Problem, 'errors'> {
  if (!hasZodFastifySchemaValidationErrors(error)) return {};
  return {
    errors: error.validation.map(({ instancePath, message }) => ({
      path: instancePath.replace(/^\//, '').replaceAll('/', '.'),
      message: message ?? 'is not as it must be',
    })),
  };
}
