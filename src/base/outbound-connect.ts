import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { connect, isIP, type Socket } from 'node:net';
import { messageOf, OutboundError } from './errors.ts';
import { type OutboundOptions, resolveOutbound, withinTime } from './outbound.ts';

export interface OutboundRequest extends OutboundOptions {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** More of an answer is not read. Default: 64 KiB. */
  bodyBytesMax?: number;
  /** Each is checked as the first address was; only GET and HEAD are sent on. Default: 0, a redirect is an answer. */
  redirectsMax?: number;
}

export interface OutboundAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Uint8Array;
  /** Whether the answer went on behind `body`. */
  isCut: boolean;
}

const bodyBytesMaxDefault = 64 * 1024;

/**
 * One HTTP exchange with a URL that a user entered, on a connection of its own, to an address that was checked.
 * Proxies of the environment are not used: the proxy would look the name up again.
 * @throws OutboundError; the signal's reason
 */
export async function fetchOutbound(url: string, request: OutboundRequest): Promise<OutboundAnswer> {
  const first = parseUrl(url);
  return withinTime(first.host, request, async (signal) => {
    const { redirectsMax = 0, method = 'GET' } = request;
    let target = first;
    for (let redirects = 0; ; redirects++) {
      const isForeign = target.origin !== first.origin;
      const answer = await exchange(target, { ...request, signal, ...(isForeign && { headers: {} }) });
      const { location } = answer.headers;
      if (redirectsMax === 0 || answer.status < 300 || answer.status > 399 || !location) return answer;
      if (redirects === redirectsMax || (method !== 'GET' && method !== 'HEAD'))
        throw redirected(target.host, 'was not followed');
      const next = parseUrl(URL.parse(location, target)?.href ?? '');
      if (target.protocol === 'https:' && next.protocol === 'http:')
        throw redirected(target.host, 'leads away from https');
      target = next;
    }
  });
}

/**
 * Connects to a host that a user entered, over TLS where `isSecure`.
 * @returns a connected socket, which the caller closes; the signal destroys it
 * @throws OutboundError; the signal's reason
 */
export async function connectOutbound(
  { host, port, isSecure = false }: { host: string; port: number; isSecure?: boolean },
  options: OutboundOptions,
): Promise<Socket> {
  return withinTime(host, options, async (signal) => {
    const { host: plain, lookup } = await resolveOutbound(host, { ...options, signal });
    const ca = await trustedBy(options);
    const servername = isIP(plain) ? '' : plain;
    const to = { host: plain, port, lookup };
    const socket = isSecure
      ? (await import('node:tls')).connect({ ...to, servername, ...(ca && { ca }) })
      : connect(to);
    try {
      await once(socket, isSecure ? 'secureConnect' : 'connect', { signal });
    } catch (error) {
      socket.destroy();
      throw unreachable(`${plain}:${port}`, error);
    }
    return socket;
  });
}

async function exchange(url: URL, request: OutboundRequest): Promise<OutboundAnswer> {
  const { host, lookup } = await resolveOutbound(url.hostname, request);
  const { method = 'GET', headers = {}, body, bodyBytesMax = bodyBytesMaxDefault, signal } = request;
  const isSecure = url.protocol === 'https:';
  // Loaded when needed: http and tls take a tenth of a second and 17 MiB, and every thread loads this module.
  const { request: send } = isSecure ? await import('node:https') : await import('node:http');
  const ca = await trustedBy(request);
  const sent = send({
    host,
    port: url.port || (isSecure ? 443 : 80),
    path: url.pathname + url.search,
    method,
    headers: {
      ...headers,
      host: url.host,
      ...(url.username && { authorization: basicLogin(url) }),
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
    lookup,
    agent: false,
    ...(signal && { signal }),
    ...(ca && { ca }),
  });
  // The first error rejects below; what comes after it changes nothing.
  sent.on('error', () => {});
  try {
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return await readAnswer(answer, bodyBytesMax);
  } catch (error) {
    throw unreachable(url.host, error);
  } finally {
    sent.destroy();
  }
}

/** All that are trusted, where some are beside those of the system. */
async function trustedBy({ certificates }: OutboundOptions): Promise<string[] | undefined> {
  if (!certificates) return undefined;
  const { getCACertificates } = await import('node:tls');
  return [...getCACertificates('default'), ...certificates];
}

async function readAnswer(answer: IncomingMessage, bytesMax: number): Promise<OutboundAnswer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  let isCut = false;
  for await (const part of answer as AsyncIterable<Uint8Array>) {
    const wanted = part.subarray(0, bytesMax - bytes);
    parts.push(wanted);
    bytes += wanted.length;
    isCut = wanted.length < part.length;
    if (isCut) break;
  }
  return { status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(parts), isCut };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new OutboundError('outbound.url', 'the address is no URL of the web', {
    hint: 'Write a URL that begins with https:// or http://.',
  });
}

function basicLogin({ username, password }: URL): string {
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

function redirected(host: string, what: string): OutboundError {
  return new OutboundError('outbound.redirect', `${host} redirects, which ${what}`, {
    hint: 'Enter the address that it leads to.',
  });
}

const trustCodes =
  /^(CERT_|ERR_TLS_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|EPROTO|ERR_SSL|HOSTNAME_MISMATCH)/;

function unreachable(host: string, error: unknown): unknown {
  if (error instanceof OutboundError) return error;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && trustCodes.test(code))
    return new OutboundError('outbound.untrusted', `${host} is not trusted: ${messageOf(error)}`, {
      hint: 'Look at its certificate, and at the certificates that are trusted here.',
      cause: error,
    });
  const reason = typeof code === 'string' ? code : messageOf(error);
  return new OutboundError('outbound.unreachable', `${host} cannot be reached: ${reason}`, {
    hint: 'Look whether the host is up and whether a firewall stands between.',
    cause: error,
  });
}
