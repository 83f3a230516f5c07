import type { Command } from 'commander';
import { systemClock, systemRandom } from '#base';
import { ServerError } from '../errors.ts';
import { startService } from '../service.ts';
import type { CommandSurroundings } from './serve.ts';

/** Speaks the API: to a server, or to one in this process. */
export interface ApiClient extends AsyncDisposable {
  /** @returns the answer's JSON; @throws ServerError 'server.refused' with what the server said, 'server.unreachable' */
  ask<T>(method: string, path: string, body?: unknown): Promise<T>;
}

/** What the subcommands of a command that speaks the API share. */
export function apiCommand(command: Command, surroundings: () => CommandSurroundings) {
  return {
    isJson: (): boolean => command.optsWithGlobals<{ json: boolean }>().json,
    /** @param isWorking whether the service of this process, where there is no server, runs jobs too */
    async withApi(
      work: (api: ApiClient, around: CommandSurroundings) => Promise<unknown>,
      isWorking = false,
    ): Promise<void> {
      const around = surroundings();
      await using api = await openApi(around, { isWorking });
      await work(api, around);
    },
  };
}

/**
 * The server of HOLDFAST_URL, with HOLDFAST_TOKEN. Without one, the state directory itself, which nobody else may use
 * meanwhile: who may write it is its owner, and no role binds them.
 * @param options.isWorking whether queued jobs are to run while the command does
 * @throws CatalogError 'catalog.in-use' when a server has the state directory
 */
export async function openApi(
  { home, version, warn }: CommandSurroundings,
  { isWorking = false }: { isWorking?: boolean } = {},
): Promise<ApiClient> {
  const { HOLDFAST_URL: url, HOLDFAST_TOKEN: token } = process.env;
  if (url) return { ask: asker(url, token), [Symbol.asyncDispose]: async () => {} };
  const ownerToken = Buffer.from(systemRandom.fill(new Uint8Array(32))).toString('base64url');
  const service = await startService({
    home,
    environment: process.env,
    host: '127.0.0.1',
    port: 0,
    allowedHosts: [],
    version,
    onProblem: warn,
    ownerToken,
    work: isWorking ? 'queued' : 'none',
  });
  return { ask: asker(service.url, ownerToken), [Symbol.asyncDispose]: () => service.close() };
}

function asker(url: string, token: string | undefined): ApiClient['ask'] {
  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(new URL(`/api/v1${path}`, url), {
      method,
      redirect: 'error',
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((cause: unknown) => {
      throw new ServerError('server.unreachable', `${url} does not answer`, {
        hint: 'Check HOLDFAST_URL, and that the server runs.',
        cause,
      });
    });
    if (answer.status === 204) return undefined as T;
    const said = (await answer.json().catch(() => ({}))) as { detail?: string; hint?: string; code?: string };
    if (answer.ok) return said as T;
    throw new ServerError('server.refused', said.detail ?? `the server answered ${answer.status}`, {
      ...(said.hint && { hint: said.hint }),
      context: { code: said.code, status: answer.status },
    });
  };
}

const pauseMs = 300;
const exitCodes: Record<string, number> = { succeeded: 0, warning: 3, partial: 3 };

/** Waits for a job's end. @returns the exit code that says how it ended */
export async function untilJobEnds(
  api: ApiClient,
  id: string,
  { say, warn, signal }: CommandSurroundings,
): Promise<number> {
  for (;;) {
    signal.throwIfAborted();
    const job = await api.ask<{ state: string; endedAt?: string; reason?: { message: string } }>(
      'GET',
      `/jobs/${id}`,
    );
    if (job.endedAt) {
      (job.state === 'succeeded' ? say : warn)(
        `${id}: ${job.state}${job.reason ? `: ${job.reason.message}` : ''}`,
      );
      return exitCodes[job.state] ?? 1;
    }
    await systemClock.sleep(pauseMs, { signal });
  }
}
