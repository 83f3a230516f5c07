import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { Access, type AccessOptions } from '#access';
import { type Clock, messageOf, systemClock, systemRandom } from '#base';
import { lockState } from '#catalog';
import { JobRunner, openEngineStore } from '#jobs';
import { capacityOf, jobKinds, Notifier, openRecords, Scheduler, type Surroundings } from '#plans';
import { followConfig } from './config/follow-config.ts';
import type { ServerContext } from './context.ts';
import { furnish } from './first-run.ts';
import { secretOf } from './secrets.ts';
import { startServer } from './server.ts';
import { openStateFolder } from './state-folder.ts';

export interface ServiceOptions {
  /** The state directory. */
  home: string;
  environment: NodeJS.ProcessEnv;
  host: string;
  port: number;
  allowedHosts: readonly string[];
  version: string;
  /** Told of what goes wrong beside requests and jobs. */
  onProblem(message: string): void;
  clock?: Clock;
  /** holdfast.yaml; default: the one in the state directory, when there is one. */
  configFile?: string | undefined;
  passwordCost?: AccessOptions['passwordCost'];
  /** For a command in this process, see `AccessOptions`. */
  ownerToken?: string;
  /** `all` (the default), what is queued but nothing by schedule, or nothing. */
  work?: 'all' | 'queued' | 'none';
}

export interface Service {
  context: ServerContext;
  url: string;
  masterKeyFile: string;
  close(): Promise<void>;
}

const jobsAtOnce = 4;

/** Everything of one process: catalog, worker, scheduler, HTTP. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { home, environment, version, onProblem, clock = systemClock, work = 'all' } = options;
  await using opening = new AsyncDisposableStack();
  // One process works in a state directory; with PostgreSQL, many share the work and each has a directory of its own.
  opening.use(lockState(home, `the server, process ${process.pid}`));
  const state = openStateFolder(home, environment, systemRandom);
  const { masterKeys } = state;
  const records = opening.use(await openRecords({ place: state.catalog, masterKeys, clock }));
  const surroundings: Surroundings = {
    secret: (reference) => secretOf(reference, { records, environment }),
    cacheFolder: state.cache,
    clock,
  };
  await furnish({ records, surroundings, clock }, state, systemRandom);
  const engineStore = await openEngineStore(state.engine);
  opening.defer(() => engineStore.close());
  const tell = (what: string) => (error: unknown) => onProblem(`${what}: ${messageOf(error)}`);
  const runner = new JobRunner({
    store: records.jobs,
    engineStore,
    kinds: jobKinds({ surroundings, records, masterKeys, home, folder: state.work }),
    clock,
    workerId: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
    concurrency: jobsAtOnce,
    capacityOf,
    onProblem: tell('jobs'),
  });
  if (work !== 'none') await runner.start();
  opening.defer(() => runner.stop());
  const { passwordCost, ownerToken } = options;
  const access = new Access({
    catalog: records,
    clock,
    random: systemRandom,
    ...(passwordCost && { passwordCost }),
    ...(ownerToken && { ownerToken }),
  });
  const { masterKeyFile } = state;
  const startedAt = new Date(clock.nowMs());
  const seen = { home, masterKeyFile, clock, version, startedAt };
  const context: ServerContext = { records, runner, access, surroundings, ...seen };
  const stopping = new AbortController();
  const { done: following, allowedHosts } = await followConfig(context, {
    given: options.configFile,
    usual: join(home, 'holdfast.yaml'),
    signal: stopping.signal,
    onProblem: tell('holdfast.yaml'),
  });
  opening.defer(async () => {
    stopping.abort();
    await following;
  });
  const server = await startServer({
    context,
    host: options.host,
    port: options.port,
    allowedHosts: () => [...options.allowedHosts, ...allowedHosts()],
    pagesFolder: pagesFolder(),
    onUnforeseen: (error) =>
      onProblem(error instanceof Error && error.stack ? error.stack : messageOf(error)),
  });
  opening.defer(() => server.close());
  if (work === 'all') opening.use(startLoops(context, server.url, tell));
  const open = opening.move();
  return { context, url: server.url, masterKeyFile, close: () => open.disposeAsync() };
}

/** What goes on beside requests and jobs: plans that are due, and people who are told. */
function startLoops(
  { records, runner, surroundings, clock }: ServerContext,
  url: string,
  tell: (what: string) => (error: unknown) => void,
): AsyncDisposable {
  const stopping = new AbortController();
  const scheduler = new Scheduler({
    records,
    runner,
    clock,
    onProblem: (plan, error) => tell(`schedule of ${plan}`)(error),
  });
  const telling = { host: hostname(), url, onProblem: tell('notifications') };
  const notifier = new Notifier({ records, surroundings, clock, ...telling }, randomUUID());
  const loops = [scheduler.run(stopping.signal), notifier.run(stopping.signal)];
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

/** In a checkout beside src, in the package inside dist. */
function pagesFolder(): string {
  const root = resolve(import.meta.dirname, '../..');
  return import.meta.dirname.includes(`${root}/dist`)
    ? resolve(root, 'dist/web')
    : resolve(root, 'web/generated');
}
