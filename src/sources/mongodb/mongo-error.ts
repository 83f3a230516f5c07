import { MongoError, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';
import { messageOf } from '#base';
import { SourceError } from '../errors.ts';
import type { MongoUrl } from './mongo-url.ts';

const codes = {
  unauthorized: 13,
  authenticationFailed: 18,
  namespaceNotFound: 26,
  cursorNotFound: 43,
  cursorKilled: 237,
  snapshotTooOld: 239,
  snapshotUnavailable: 246,
} as const;

export { codes as mongoErrorCodes };

/** The server's number for what went wrong, or undefined. */
export function mongoCodeOf(error: unknown): number | undefined {
  const known = error instanceof SourceError ? error.cause : error;
  return known instanceof MongoServerError && typeof known.code === 'number' ? known.code : undefined;
}

/** Whether the server is gone, as far as we can see: nothing else will succeed either. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof SourceError && error.code === 'sources.unreachable';
}

/** What the driver threw, in our words and without secrets. `what` says what could not be done: `cannot read shop.orders`. */
export function mongoError(error: unknown, what: string, url: MongoUrl): unknown {
  if (!(error instanceof MongoError)) return error;
  const message = `${what}: ${url.redact(messageOf(error))}`;
  // The driver's own texts and stacks may hold parts of the URL.
  const cause = error instanceof MongoServerError ? withoutSecrets(error, url) : undefined;
  const details = cause ? { cause } : {};
  const code = mongoCodeOf(error);
  if (code === codes.authenticationFailed || code === 8000)
    return new SourceError('sources.login', message, {
      ...details,
      hint: 'Check user, password and authSource (the database in which the user was created, mostly admin).',
    });
  if (code === codes.unauthorized)
    return new SourceError('sources.access-denied', message, {
      ...details,
      hint: 'Run `holdfast source test URL`: it prints the role and the user that a backup needs.',
    });
  if (code === codes.snapshotTooOld)
    return new SourceError('sources.mongodb', message, {
      ...details,
      hint: 'The server forgot that time: back up with --oplog always, raise minSnapshotHistoryWindowInSeconds on every member, or read faster.',
    });
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError)
    return new SourceError('sources.unreachable', message, {
      hint: 'Check host, port, TLS and firewall, and that the server runs.',
    });
  return new SourceError('sources.mongodb', message, details);
}

function withoutSecrets(error: MongoServerError, url: MongoUrl): MongoServerError {
  error.message = url.redact(error.message);
  if (error.stack) error.stack = url.redact(error.stack);
  return error;
}
