import type { Problem } from '#contract';

/** An answer of the server that says no: RFC 9457 with our code and hint. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = 'ProblemError';
    this.problem = problem;
  }
}

export function isProblem(error: unknown): error is ProblemError {
  return error instanceof ProblemError;
}

interface Request {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  signal?: AbortSignal;
}

/**
 * Asks the server.
 * @param path below `/api/v1`, with its query
 * @throws ProblemError when the server says no; TypeError when it cannot be reached
 */
export async function api<T>(path: string, { method = 'GET', body, signal }: Request = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET') headers['x-csrf-token'] = csrfToken;
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  if (response.status === 204) return undefined as T;
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  throw new ProblemError(isProblemBody(answer) ? answer : unreadable(response));
}

function unreadable({ status, statusText }: Response): Problem {
  const title = `the server answered ${status} ${statusText}`;
  return { type: 'about:blank', status, title, detail: title, code: 'server.unreadable' };
}

function isProblemBody(answer: unknown): answer is Problem {
  return typeof answer === 'object' && answer !== null && 'code' in answer && 'status' in answer;
}

/** What the session gave: it proves that a request comes from our own page. */
let csrfToken = '';

export function rememberCsrfToken(token: string): void {
  csrfToken = token;
}
