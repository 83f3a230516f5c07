/** What a failed attempt may do: never again by itself, again at once with back-off, or in a later run. */
export type Retry = 'never' | 'soon' | 'later';

/** How one error code is presented: the exit code of the command line and the HTTP status of the API. */
export interface ErrorKind {
  exitCode: number;
  httpStatus: number;
  retry: Retry;
}

export interface ErrorDetails {
  /** A full sentence: what to do next. */
  hint?: string;
  /** Overrides the kind's verdict when the thrower knows better. */
  retry?: Retry;
  /** Facts for logs. Never a secret. */
  context?: Record<string, unknown>;
  cause?: unknown;
}

/**
 * The root of every error that Holdfast throws on purpose.
 * `code` is stable and greppable ('storage.not-found'); `message` is lower case without a final point.
 */
export class HoldfastError extends Error {
  readonly code: string;
  readonly exitCode: number;
  readonly httpStatus: number;
  readonly retry: Retry;
  readonly hint: string | undefined;
  readonly context: Record<string, unknown>;

  constructor(kind: ErrorKind, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.exitCode = kind.exitCode;
    this.httpStatus = kind.httpStatus;
    this.retry = details.retry ?? kind.retry;
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** Whether trying the same call again soon may help. Unknown errors are not retried. */
export function isRetryable(error: unknown): boolean {
  return error instanceof HoldfastError && error.retry === 'soon';
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error ('ENOENT' …), or undefined. */
export function systemCodeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Ways in which a connection to an address that a user entered fails. */
const outboundKinds = {
  'outbound.url': { exitCode: 2, httpStatus: 400, retry: 'never' },
  'outbound.forbidden': { exitCode: 1, httpStatus: 403, retry: 'never' },
  'outbound.redirect': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'outbound.untrusted': { exitCode: 1, httpStatus: 502, retry: 'never' },
  'outbound.unreachable': { exitCode: 1, httpStatus: 502, retry: 'soon' },
  'outbound.timeout': { exitCode: 1, httpStatus: 504, retry: 'soon' },
} satisfies Record<string, ErrorKind>;

/** Names the host at most: paths, queries and user information of a URL may be secrets. */
export class OutboundError extends HoldfastError {
  declare readonly code: keyof typeof outboundKinds;

  constructor(code: keyof typeof outboundKinds, message: string, details?: ErrorDetails) {
    super(outboundKinds[code], code, message, details);
  }
}
