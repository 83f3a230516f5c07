import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Clock, systemClock } from '#base';
import { type Service, type ServiceOptions, startService } from '#server';

/** Quick to compute, and so quick to guess: for tests only. */
const passwordCost = { N: 1024, r: 8, p: 1 };

export interface Asking {
  method?: string;
  headers?: Record<string, string>;
  /** Sent as JSON; a string as it is. */
  body?: unknown;
  token?: string | undefined;
  session?: SignedIn;
}

export interface SignedIn {
  cookie: string;
  csrfToken: string;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The body as JSON. */
  json<T = Record<string, unknown>>(): T;
}

/** Asks once, on a connection of its own; paths are sent as they are, whatever is in them. */
export async function ask(url: string, path: string, asking: Asking = {}): Promise<Answer> {
  const answer = await send(url, path, asking);
  const got = await text(answer);
  return {
    status: answer.statusCode!,
    headers: answer.headers,
    text: got,
    json: <T>() => JSON.parse(got) as T,
  };
}

export interface Listening {
  status: number;
  headers: IncomingHttpHeaders;
  /** Reads on until a text has come. @returns all that came */
  untilText(wanted: string): Promise<string>;
  close(): Promise<void>;
}

/** Asks for an answer that has no end; what is not read is not waited for. */
export async function listen(url: string, path: string, asking: Asking = {}): Promise<Listening> {
  const answer = await send(url, path, asking);
  return {
    status: answer.statusCode!,
    headers: answer.headers,
    async untilText(wanted) {
      let got = '';
      for await (const piece of answer.iterator({ destroyOnReturn: false })) {
        got += String(piece);
        if (got.includes(wanted)) return got;
      }
      throw new Error(`${wanted} did not come, but: ${got}`);
    },
    async close() {
      answer.destroy();
    },
  };
}

async function send(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body, token, session }: Asking,
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url);
  const sent = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const asked = request({
    hostname,
    port,
    method,
    path,
    agent: false,
    headers: {
      ...(sent !== undefined && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...(session && { cookie: session.cookie, 'x-csrf-token': session.csrfToken }),
      ...headers,
    },
  });
  asked.end(sent);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return answer;
}

export interface HoldfastServer extends AsyncDisposable {
  service: Service;
  /** The state directory, with a folder `data` beside it. */
  home: string;
  data: string;
  /** What the server would have written to its log. */
  problems: string[];
  ask(path: string, asking?: Asking): Promise<Answer>;
  /** Moves the clock of sessions, tokens and limits on. */
  passTime(ms: number): void;
  /** Makes the first administrator with the setup link. */
  setUp(): Promise<SignedIn>;
  stop(): Promise<void>;
}

export const adminPassword = 'the administrator’s own';

/** The whole service in this process, in a folder of its own. */
export async function startHoldfastServer(more: Partial<ServiceOptions> = {}): Promise<HoldfastServer> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-server-'));
  const [home, data] = [join(folder, 'state'), join(folder, 'data')];
  mkdirSync(data);
  writeFileSync(join(data, 'greeting.txt'), 'hello');
  let aheadMs = 0;
  const clock: Clock = {
    ...systemClock,
    nowMs: () => systemClock.nowMs() + aheadMs,
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
  };
  const problems: string[] = [];
  const service = await startService({
    home,
    environment: {},
    host: '127.0.0.1',
    port: 0,
    allowedHosts: ['backup.example.org'],
    version: '0.0.0-test',
    onProblem: (message) => problems.push(message),
    clock,
    passwordCost,
    ...more,
  });
  const askIt = (path: string, asking?: Asking): Promise<Answer> => ask(service.url, path, asking);
  return {
    service,
    home,
    data,
    problems,
    ask: askIt,
    passTime: (ms) => {
      aheadMs += ms;
    },
    setUp: async () => {
      const token = await service.context.access.issueSetupToken();
      const body = { token, username: 'ada', password: adminPassword };
      return signedIn(await askIt('/api/v1/setup', { method: 'POST', body }));
    },
    stop: () => service.close(),
    [Symbol.asyncDispose]: async () => {
      await service.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function signedIn(answer: Answer): SignedIn {
  if (answer.status !== 201) throw new Error(`not signed in: ${answer.status} ${answer.text}`);
  const [cookie] = answer.headers['set-cookie']!;
  return { cookie: cookie!.split(';')[0]!, csrfToken: answer.json<{ csrfToken: string }>().csrfToken };
}
