import { fetchOutbound, type OutboundAnswer, type OutboundRequest, systemClock } from '#base';
import type { Receipt, SendOptions } from './channel.ts';
import { NotifyError } from './errors.ts';
import { oneLine, shorten } from './wording.ts';

type Request = Pick<OutboundRequest, 'method' | 'headers' | 'body'>;

/** What a service said. It was written by others: for errors and comparisons only. */
export interface Answer {
  status: number;
  /** One short line, without what the request held of secrets: pages of errors repeat the URL. */
  said: string;
  /** undefined: it is none. */
  json: unknown;
}

const textLengthMax = 200;
/** Shorter parts of a URL are no secrets. */
const secretLengthMin = 6;

/** Sends JSON. @see call */
export function postJson(
  url: string,
  { body, headers }: { body: unknown; headers?: Record<string, string> },
  options: SendOptions,
): Promise<Answer> {
  const json = { 'content-type': 'application/json', ...headers };
  return call(url, { method: 'POST', body: JSON.stringify(body), headers: json }, options);
}

/**
 * One HTTP exchange.
 * @returns an answer that says: taken (2xx)
 * @throws NotifyError by what the answer says instead; OutboundError
 */
export async function call(url: string, request: Request, options: SendOptions): Promise<Answer> {
  const { deliveryId: _, clock: __, ...outbound } = options;
  const headers = { 'user-agent': 'holdfast', ...request.headers };
  const answer = await fetchOutbound(url, { ...outbound, ...request, headers });
  const text = Buffer.from(answer.body).toString();
  const said = shorten(oneLine(withoutSecrets(text, secretsOf(url, headers))), textLengthMax);
  if (answer.status < 200 || answer.status > 299) throw refusal(new URL(url).host, answer, said, options);
  return { status: answer.status, said, json: parseJson(text) };
}

export function receiptOf({ status }: Answer): Receipt {
  return { answer: `HTTP ${status}` };
}

/** The text with `…` in the place of each secret. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const longestFirst = secrets.filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
  return longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
}

function secretsOf(url: string, headers: Record<string, string>): string[] {
  const { pathname, search, username, password } = new URL(url);
  const parts = [...`${pathname}${search}`.split(/[/?&=]/), username, password];
  const token = headers.authorization?.split(' ').at(-1) ?? '';
  return [...parts, ...parts.map(decoded), token].filter((part) => part.length >= secretLengthMin);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(host: string, answer: OutboundAnswer, said: string, options: SendOptions): NotifyError {
  const { status } = answer;
  const message = `${host} answered HTTP ${status}${said && `: ${said}`}`;
  if (status === 429 || status === 503) return busy(message, retryAfterMs(answer, options));
  if (status === 401 || status === 403)
    return new NotifyError('notify.login', message, {
      hint: 'Look whether the token or the secret URL is still valid.',
    });
  if (status >= 500 || status === 408 || status === 425) return new NotifyError('notify.failed', message);
  return new NotifyError('notify.refused', message, { hint: hintOf(status) });
}

function hintOf(status: number): string {
  if (status < 400) return 'Enter the address that it redirects to.';
  if (status === 404 || status === 410)
    return 'Look whether the address is right and still exists at the service.';
  return 'Look at what the service says, and at the settings of the channel.';
}

export function busy(message: string, retryAfter: number | undefined): NotifyError {
  return new NotifyError('notify.busy', message, {
    hint: 'It is sent again later. If this happens often, route less to this channel.',
    context: retryAfter === undefined ? {} : { retryAfterMs: retryAfter },
  });
}

/** Retry-After as seconds or a date (RFC 9110, 10.2.3), or as Discord and Telegram write it into the body. */
function retryAfterMs(
  { headers, body }: OutboundAnswer,
  { clock = systemClock }: SendOptions,
): number | undefined {
  const text = headers['retry-after'];
  if (text !== undefined) {
    const seconds = Number(text);
    const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - clock.nowMs();
    return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
  }
  const json = parseJson(Buffer.from(body).toString()) as {
    retry_after?: unknown;
    parameters?: { retry_after?: unknown };
  } | null;
  const seconds = json?.retry_after ?? json?.parameters?.retry_after;
  return typeof seconds === 'number' && seconds >= 0 ? seconds * 1000 : undefined;
}
