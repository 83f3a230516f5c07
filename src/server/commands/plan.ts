import type { Command } from 'commander';
import type { Plan } from '#contract';
import { apiCommand, untilJobEnds } from './api-client.ts';
import type { CommandSurroundings } from './serve.ts';

interface AddOptions {
  source: string[];
  to: string[];
  daily?: string;
  cron?: string;
  keepDaily?: string;
  objective?: string;
}

export function definePlan(command: Command, surroundings: () => CommandSurroundings): void {
  command.description(
    'Configured work: by a server (HOLDFAST_URL, HOLDFAST_TOKEN), or in the state directory.',
  );
  const { isJson, withApi } = apiCommand(command, surroundings);

  command
    .command('list')
    .summary('list plans and how they stand')
    .action(() =>
      withApi(async (api, { say, table }) => {
        const { items } = await api.ask<{ items: Plan[] }>('GET', '/plans');
        if (isJson()) for (const plan of items) say(JSON.stringify(plan));
        else
          for (const line of table(
            ['plan', 'kind', 'stands', 'newest snapshot', 'next run'],
            items.map(rowOf),
          ))
            say(line);
      }),
    );
  command
    .command('show <name>')
    .summary('show a plan, and why it stands as it does')
    .action((name: string) =>
      withApi(async (api, { say }) => {
        const plan = await api.ask<Plan>('GET', `/plans/${encodeURIComponent(name)}`);
        say(JSON.stringify(plan, null, isJson() ? 0 : 2));
      }),
    );
  command
    .command('run <name>')
    .summary('run a plan now and wait for its end')
    .option('--no-wait', 'only begin it')
    .action((name: string, { wait }: { wait: boolean }) =>
      withApi(async (api, around) => {
        const job = await api.ask<{ id: string }>('POST', `/plans/${encodeURIComponent(name)}/runs`, {});
        if (wait) process.exitCode = await untilJobEnds(api, job.id, around);
        else around.say(job.id);
      }, true),
    );
  command
    .command('add <name>')
    .summary('make a plan that backs sources up')
    .requiredOption('--source <name...>', 'sources that are configured')
    .requiredOption('--to <repository...>', 'repositories that are configured')
    .option('--daily <time>', 'run each day at this time (02:30)')
    .option('--cron <pattern>', 'or by a pattern of five fields')
    .option('--keep-daily <count>', 'keep the newest of so many days')
    .option('--objective <span>', 'how old the newest snapshot may be (26h)')
    .action((name: string, options: AddOptions) =>
      withApi(async (api, { say }) => {
        const plan = await api.ask<Plan>('POST', '/plans', { name, spec: specOf(options) });
        say(isJson() ? JSON.stringify(plan) : `made the plan ${plan.name}`);
      }),
    );
  command
    .command('remove <name>')
    .summary('remove a plan; what it saved stays')
    .action((name: string) => withApi((api) => api.ask('DELETE', `/plans/${encodeURIComponent(name)}`)));
}

function specOf({ source, to, daily, cron, keepDaily, objective }: AddOptions): object {
  return {
    kind: 'backup',
    sources: source,
    repositories: to,
    ...((daily ?? cron) && { schedule: daily ? { daily } : { cron } }),
    ...(keepDaily && { keep: { daily: Number(keepDaily) } }),
    ...(objective && { objective }),
  };
}

function rowOf({ name, spec, status }: Plan): string[] {
  return [name, spec.kind, status.health, status.newestSnapshotAt ?? 'none', status.nextRuns[0] ?? 'by hand'];
}
