import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { ChannelKind, ChannelSettings } from '../channel.ts';
import type { Behaviour, Receiver } from './receiver.ts';

export interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** One service of the web: how it is addressed, and what it takes. */
export interface Service {
  settings(base: string): ChannelSettings;
  secrets: readonly string[];
  /** @returns what was understood @throws when the service would not understand it */
  understand(request: Received): unknown;
  /** What it says then. */
  answer: { status: number; body?: string };
}

export async function startHttpReceiver(service: Service): Promise<Receiver> {
  let behaviour: Behaviour = 'take';
  let connectionCount = 0;
  const taken: unknown[] = [];
  const server = createServer(async (request, answer) => {
    const { method, url, headers } = request;
    const body = await bodyOf(request);
    const received = { method: method!, url: url!, headers, body };
    if (behaviour !== 'take') return misbehave(behaviour, received, answer);
    try {
      taken.push(service.understand(received));
      answer.writeHead(service.answer.status).end(service.answer.body);
    } catch (error) {
      answer.writeHead(400).end(String(error));
    }
  });
  server.on('connection', () => connectionCount++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    settings: service.settings(`http://127.0.0.1:${port}`),
    secrets: service.secrets,
    behave: (next) => {
      behaviour = next;
    },
    taken,
    connectionCount: () => connectionCount,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function bodyOf(request: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** Pages of errors repeat what was asked for, as many servers do. */
function misbehave(behaviour: Behaviour, { url, headers }: Received, answer: ServerResponse): void {
  const echo = `cannot take ${decodeURIComponent(url)} ${url} with ${headers.authorization}`;
  if (behaviour === 'reset') answer.socket!.destroy();
  else if (behaviour === 'fail') answer.writeHead(500).end(echo);
  else if (behaviour === 'refuse') answer.writeHead(404).end(echo);
  else if (behaviour === 'login') answer.writeHead(403).end(echo);
  else if (behaviour === 'busy') answer.writeHead(429, { 'retry-after': '7' }).end(echo);
  else if (behaviour === 'redirect') answer.writeHead(302, { location: '/elsewhere' }).end();
}

/** For `satisfies`: every kind that is told over HTTP. */
export type HttpServices = Record<Exclude<ChannelKind, 'email'>, Service>;
