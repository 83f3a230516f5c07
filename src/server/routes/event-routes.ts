import { Readable } from 'node:stream';
import { setImmediate as breathe } from 'node:timers/promises';
import { z } from 'zod';
import type { Change, JobId } from '#catalog';
import type { LiveEvent } from '#contract';
import type { ServerContext } from '../context.ts';
import { presentJob } from '../present/present-job.ts';
import type { App } from './app-type.ts';

const pollMs = 500;
/** Proxies drop silent connections. */
const heartbeatMs = 15_000;
const changesAtOnce = 200;

/**
 * Live events (text/event-stream). An event's id is the number of its change: who comes back with Last-Event-ID goes on
 * there, or hears `reset` when changes in between are gone.
 */
export function eventRoutes(app: App, context: ServerContext, stopping: AbortSignal): void {
  app.get(
    '/events',
    {
      config: { needs: 'read' },
      schema: {
        headers: z.object({
          'last-event-id': z
            .string()
            .regex(/^\d{1,15}$/)
            .optional(),
        }),
      },
    },
    async (request, reply) => {
      const gone = new AbortController();
      request.raw.on('close', () => gone.abort());
      const known = request.headers['last-event-id'];
      const stream = follow(
        context,
        known === undefined ? undefined : Number(known),
        AbortSignal.any([gone.signal, stopping]),
      );
      reply.header('cache-control', 'no-store').header('x-accel-buffering', 'no');
      return reply.type('text/event-stream').send(Readable.from(stream, { objectMode: false }));
    },
  );
}

async function* follow(
  { records, clock, version }: ServerContext,
  known: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const at = (): string => new Date(clock.nowMs()).toISOString();
  let last = known ?? (await records.journal.newestChange());
  yield frame(last, { type: 'hello', at: at(), version });
  let saidAtMs = clock.monotonicMs();
  while (!signal.aborted) {
    const { changes, isComplete } = await records.journal.changesAfter(last, changesAtOnce);
    if (!isComplete) {
      last = await records.journal.newestChange();
      yield frame(last, { type: 'reset', at: at() });
    }
    for (const { number, change } of isComplete ? newestOnly(changes) : []) {
      const event = await eventOf(records, change);
      if (event) yield frame(number, event);
      last = number;
      saidAtMs = clock.monotonicMs();
    }
    await breathe();
    if (clock.monotonicMs() - saidAtMs > heartbeatMs) {
      yield ': still here\n\n';
      saidAtMs = clock.monotonicMs();
    }
    await clock.sleep(pollMs, { signal }).catch(() => {});
  }
}

function frame(id: number, event: LiveEvent): string {
  return `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** A job that changed five times meanwhile is told once, as it is now. */
function newestOnly(changes: readonly { number: number; change: Change }[]) {
  const last = new Map(changes.map((each) => [JSON.stringify(each.change), each.number]));
  return changes.filter(({ number, change }) => last.get(JSON.stringify(change)) === number);
}

async function eventOf(records: ServerContext['records'], change: Change): Promise<LiveEvent | undefined> {
  switch (change.type) {
    case 'job': {
      const job = await records.jobs.get(change.id as JobId);
      return job && { type: 'job', job: presentJob(job) };
    }
    case 'log':
      return { type: 'changed', noun: 'job-log', name: change.id };
    case 'event':
      return { type: 'changed', noun: 'activity' };
    case 'changed':
      return { type: 'changed', noun: change.noun as 'plan', ...(change.name && { name: change.name }) };
  }
}
