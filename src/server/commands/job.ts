import type { Command } from 'commander';
import type { Job, JobDetail, LogLine } from '#contract';
import { type ApiClient, apiCommand } from './api-client.ts';
import type { CommandSurroundings } from './serve.ts';

const linesAtOnce = 1000;

export function defineJob(command: Command, surroundings: () => CommandSurroundings): void {
  command.description('Work that was done, runs or waits: of a server, or of the state directory.');
  const { isJson, withApi } = apiCommand(command, surroundings);

  command
    .command('list')
    .summary('list jobs, newest first')
    .option('--plan <name>', 'of one plan')
    .option('--state <state>', 'in one state')
    .option('--limit <count>', 'at most so many', '20')
    .action((options: Record<string, string>) =>
      withApi(async (api, { say, table }) => {
        const { items } = await api.ask<{ items: Job[] }>('GET', `/jobs?${queryOf(options)}`);
        if (isJson()) for (const job of items) say(JSON.stringify(job));
        else for (const line of table(['job', 'plan', 'kind', 'state', 'made'], items.map(rowOf))) say(line);
      }),
    );
  command
    .command('show <id>')
    .summary('show a job and its steps')
    .action((id: string) =>
      withApi(async (api, { say }) => {
        const job = await api.ask<JobDetail>('GET', `/jobs/${encodeURIComponent(id)}`);
        say(JSON.stringify(job, null, isJson() ? 0 : 2));
      }),
    );
  command
    .command('log <id>')
    .summary('print the log of a job')
    .action((id: string) =>
      withApi(async (api, { say }) => {
        for await (const line of linesOf(api, id)) say(isJson() ? JSON.stringify(line) : textOf(line));
      }),
    );
  command
    .command('cancel <id>')
    .summary('ask a job to end')
    .action((id: string) => withApi((api) => api.ask('POST', `/jobs/${encodeURIComponent(id)}/cancel`)));
}

async function* linesOf(api: ApiClient, id: string): AsyncGenerator<LogLine> {
  for (let after = 0; ; ) {
    const path = `/jobs/${encodeURIComponent(id)}/log?after=${after}&limit=${linesAtOnce}`;
    const { items } = await api.ask<{ items: LogLine[] }>('GET', path);
    yield* items;
    if (items.length < linesAtOnce) return;
    after = items.at(-1)!.number;
  }
}

function textOf({ at, level, message, item }: LogLine): string {
  return `${at} ${level.padEnd(7)} ${item ? `${item}: ` : ''}${message}`;
}

function queryOf(options: Record<string, string>): string {
  const given = Object.entries(options).filter(([name]) => ['plan', 'state', 'limit'].includes(name));
  return new URLSearchParams(given).toString();
}

function rowOf({ id, plan, kind, state, createdAt }: Job): string[] {
  return [id, plan ?? '', kind, state, createdAt];
}
