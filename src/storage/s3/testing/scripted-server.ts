import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { after } from 'node:test';
import { collect, seededRandom } from '#base';
import { LeapingClock } from '../../testing/leaping-clock.ts';
import { type RetryOptions, retry } from '../../wrappers/retry.ts';
import type { S3Options } from '../options.ts';
import { S3Storage } from '../s3-storage.ts';

/** A request as the server got it. */
export interface Asked {
  method: string;
  /** As sent: with query; with scheme and host when it came as to a proxy. */
  url: string;
  headers: IncomingHttpHeaders;
  body: Uint8Array;
}

/** 'reset' breaks the connection without an answer. `cutAt` breaks it after so many bytes of the body. */
export type Answer =
  | 'reset'
  | { status?: number; headers?: Record<string, string>; body?: string | Uint8Array; cutAt?: number };

/** What happens in turn. A function looks at the request before it answers. */
export type Script = readonly (Answer | ((asked: Asked) => Answer | Promise<Answer>))[];

export interface ScriptedServer {
  endpoint: string;
  port: number;
  asked: Asked[];
}

/** A server of a few answers, for faults that no real one can be made to show. A request beyond the script gets 418. */
export async function scriptedServer(
  script: Script,
  tls?: { key: string; cert: string },
): Promise<ScriptedServer> {
  const asked: Asked[] = [];
  const listener: RequestListener = async (request, response) => {
    const { method = '', url = '', headers } = request;
    const [body] = await Promise.allSettled([collect(request as AsyncIterable<Uint8Array>)]);
    // The client has gone before it had said everything.
    if (body.status === 'rejected') return;
    const one = { method, url, headers, body: body.value };
    asked.push(one);
    const step = script[asked.length - 1] ?? { status: 418 };
    const answer = typeof step === 'function' ? await step(one) : step;
    if (answer === 'reset') return void request.socket.destroy();
    const { status = 200, body: text = '', cutAt } = answer;
    const bytes = Buffer.from(text);
    response.writeHead(status, { 'content-length': bytes.length, ...answer.headers });
    if (cutAt === undefined) return void response.end(method === 'HEAD' ? undefined : bytes);
    response.write(bytes.subarray(0, cutAt), () => request.socket.destroy());
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { endpoint: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, port, asked };
}

/** A body of an S3 error. */
export function refusal(
  status: number,
  code: string,
  fields: Record<string, string> = {},
): Exclude<Answer, 'reset'> {
  const more = Object.entries(fields).map(([name, text]) => `<${name}>${text}</${name}>`);
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code>${more.join('')}</Error>`;
  return { status, body, headers: { 'content-type': 'application/xml' } };
}

const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };

/** A storage at `bucket/prefix` of a scripted server, bare or with retries whose pauses pass at once. */
export function storageAt(
  endpoint: string,
  options: Omit<S3Options, 'credentials'> & { retry?: RetryOptions; hasCredentials?: boolean } = {},
) {
  const clock = new LeapingClock();
  const random = seededRandom(1);
  const { retry: retries, hasCredentials = true, ...others } = options;
  const s3: S3Options = { proxy: {}, ...(hasCredentials && { credentials }), ...others };
  const place = { endpoint, bucket: 'bucket', prefix: 'prefix' };
  const bare = new S3Storage(place, `s3:${endpoint}`, s3, { clock, random });
  after(() => bare.close());
  return retries ? retry(bare, { clock, random, ...retries }) : bare;
}

/** Fails unless the server was asked exactly as the script foresees. */
export function expectAsked({ asked }: ScriptedServer, lines: readonly string[]): void {
  const seen = asked.map(({ method, url }) => `${method} ${url.replace(/[?&]x-id=\w+/, '')}`);
  assert.deepEqual(seen, lines);
}
