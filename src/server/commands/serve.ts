import type { Command } from 'commander';
import { systemClock } from '#base';
import type { JobId, JobRecord } from '#catalog';
import { jobOfPlan, statusOf } from '#plans';
import { planFolder, selfPlanName } from '../first-run.ts';
import { type Service, startService } from '../service.ts';

interface Options {
  host: string;
  port: string;
  allowHost: string[];
  config?: string;
}

/** What the command line gives to a command of ours. */
export interface CommandSurroundings {
  home: string;
  version: string;
  /** Aborted when the user ends the command. */
  signal: AbortSignal;
  say(line: string): void;
  warn(line: string): void;
  /** Columns, with a header. */
  table(header: readonly string[], rows: readonly (readonly string[])[]): string[];
}

export function defineServe(command: Command, surroundings: () => CommandSurroundings): void {
  command
    .argument('[folder]', 'a folder to protect at once: it becomes the first plan')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', '7373')
    .option('--config <file>', 'holdfast.yaml (default: the one in the state directory, when there is one)')
    .option('--allow-host <name...>', 'more names by which the server may be asked', [])
    .description(
      'Runs the server: dashboard, API, scheduler and one worker. The first start makes what it needs in the state ' +
        'directory, backs itself up, reads that back, and prints the link by which the first administrator is made.',
    )
    .action(async (folder: string | undefined, options: Options) => serve(folder, options, surroundings()));
}

async function serve(
  folder: string | undefined,
  options: Options,
  around: CommandSurroundings,
): Promise<void> {
  const service = await startService({
    home: around.home,
    environment: process.env,
    host: options.host,
    port: Number(options.port),
    allowedHosts: options.allowHost,
    version: around.version,
    configFile: options.config ?? process.env.HOLDFAST_CONFIG,
    onProblem: around.warn,
  });
  try {
    const { access } = service.context;
    around.say(`Holdfast ${around.version} listens on ${service.url}; state in ${around.home}`);
    if (await access.needsSetup()) await tellSetupLink(service, around);
    await firstRuns(service, folder, around);
    await new Promise((resolve) => {
      if (around.signal.aborted) resolve(undefined);
      around.signal.addEventListener('abort', resolve);
    });
    around.say('stopping: what runs now goes on after the next start');
  } finally {
    await service.close();
  }
}

async function tellSetupLink({ url, context }: Service, { say }: CommandSurroundings): Promise<void> {
  const { port, hostname } = new URL(url);
  say('');
  say('Open this link to make the first administrator (works once, for one hour):');
  say(`  ${url}/setup#${await context.access.issueSetupToken()}`);
  if (hostname === '127.0.0.1' && process.env.SSH_CONNECTION)
    say(
      `  from your own machine, first: ssh -L ${port}:127.0.0.1:${port} ${process.env.USER ?? 'root'}@this-host`,
    );
  say('');
}

/** Runs at once what has never run, waits for what was interrupted, and says in plain words what is protected and what is not. */
async function firstRuns(
  service: Service,
  folder: string | undefined,
  around: CommandSurroundings,
): Promise<void> {
  const { records, runner } = service.context;
  const names = [selfPlanName, ...(folder === undefined ? [] : [await planFolder(records, folder)])];
  const jobs: JobRecord[] = [];
  for (const name of names) {
    const plan = await records.plans.find(name);
    if (!plan) continue;
    const { items } = await records.jobs.list({ plan: name }, { limit: 1 });
    const [last] = items;
    if (last && !last.endedAt) {
      around.say(`${name}: its backup goes on`);
      jobs.push(last);
    }
    if (last) continue;
    around.say(`${name}: the first backup runs`);
    jobs.push(await runner.submit(await jobOfPlan(records, plan, { trigger: 'holdfast' })));
  }
  for (const job of jobs) await tellEnd(service, job.id, around);
  for (const plan of await records.plans.list()) await tellPlan(service, plan, around);
}

async function tellEnd(
  { context }: Service,
  id: JobId,
  { signal, say, warn }: CommandSurroundings,
): Promise<void> {
  while (!signal.aborted) {
    const job = await context.records.jobs.get(id);
    if (!job || job.endedAt) {
      const sentence = job?.reason ? `: ${job.reason.message}` : '';
      (job?.state === 'succeeded' ? say : warn)(`${job?.plan}: ${job?.state ?? 'unknown'}${sentence}`);
      return;
    }
    await systemClock.sleep(200, { signal }).catch(() => {});
  }
}

async function tellPlan(
  { context }: Service,
  plan: Parameters<typeof statusOf>[1],
  { say }: CommandSurroundings,
): Promise<void> {
  const status = await statusOf(context.records, plan, context.clock.nowMs());
  const isProtected = status.newestSnapshotAt !== undefined;
  const proof = status.lastProvenAt ? 'read back and right' : 'not proven yet';
  say(`${plan.name}: ${isProtected ? `protected, ${proof}` : 'not protected yet'}`);
  for (const { message, hint } of status.reasons) say(`  but ${message}.${hint ? ` ${hint}` : ''}`);
}
