import cookie from '@fastify/cookie';
import fastify from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { messageOf, systemCodeOf } from '#base';
import type { ServerContext } from './context.ts';
import { ServerError } from './errors.ts';
import { guard, hostCheck } from './guard.ts';
import { describeRoutes } from './openapi.ts';
import { servePages } from './pages.ts';
import { answerProblems, sendProblem } from './problem.ts';
import type { App } from './routes/app-type.ts';
import { channelRoutes } from './routes/channel-routes.ts';
import { configRoutes } from './routes/config-routes.ts';
import { discoveryRoutes } from './routes/discovery-routes.ts';
import { eventRoutes } from './routes/event-routes.ts';
import { healthRoutes } from './routes/health-routes.ts';
import { jobRoutes } from './routes/job-routes.ts';
import { metricsRoutes } from './routes/metrics-routes.ts';
import { overviewRoutes } from './routes/overview-routes.ts';
import { peopleRoutes } from './routes/people-routes.ts';
import { planRoutes } from './routes/plan-routes.ts';
import { recoveryKitRoutes } from './routes/recovery-kit-routes.ts';
import { repositoryRoutes } from './routes/repository-routes.ts';
import { restoreRoutes } from './routes/restore-routes.ts';
import { sessionRoutes } from './routes/session-routes.ts';
import { snapshotRoutes } from './routes/snapshot-routes.ts';
import { sourceRoutes } from './routes/source-routes.ts';

export interface ServerOptions {
  context: ServerContext;
  host: string;
  /** 0: any that is free. */
  port: number;
  /** More names by which the server may be asked. */
  allowedHosts(): readonly string[];
  /** Where the built dashboard lies. */
  pagesFolder: string;
  /** Told of faults of our own. */
  onUnforeseen(error: unknown): void;
}

export interface RunningServer {
  /** `http://127.0.0.1:7373` */
  url: string;
  close(): Promise<void>;
}

const bodySizeMaxBytes = 1024 * 1024;

/** @throws ServerError 'server.port' when the address cannot be had */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host, port } = options;
  const stopping = new AbortController();
  const app = await buildApp(options, stopping.signal);
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    const reason = systemCodeOf(error) === 'EADDRINUSE' ? 'somebody else listens there' : messageOf(error);
    throw new ServerError('server.port', `cannot listen on ${host}:${port}: ${reason}`, {
      hint: 'Choose another port with --port, or stop the other program.',
      cause: error,
    });
  }
  const address = app.server.address() as { port: number };
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    async close() {
      stopping.abort();
      await app.close();
    },
  };
}

async function buildApp(
  { context, host, allowedHosts, pagesFolder, onUnforeseen }: ServerOptions,
  stopping: AbortSignal,
): Promise<App> {
  const app = fastify({
    bodyLimit: bodySizeMaxBytes,
    forceCloseConnections: true,
    // A proxy on this machine says who asks, and whether by https.
    trustProxy: 'loopback',
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: sendProblem,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  await app.register(cookie);
  await describeRoutes(app, context.version);
  // JSON only: what a form of another site can send is refused.
  app.removeContentTypeParser('text/plain');
  answerProblems(app, onUnforeseen);
  guard(
    app,
    context,
    hostCheck(() => [host, ...allowedHosts()]),
  );
  app.addHook('onSend', async (_, reply) => {
    reply.headers({
      'content-security-policy':
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
    });
  });
  await app.register(
    (api, _, done) => {
      apiRoutes(api.withTypeProvider<ZodTypeProvider>(), context, stopping);
      done();
    },
    { prefix: '/api/v1' },
  );
  healthRoutes(app, context);
  metricsRoutes(app, context);
  await servePages(app, pagesFolder);
  await app.ready();
  return app;
}

function apiRoutes(app: App, context: ServerContext, stopping: AbortSignal): void {
  app.get('/openapi.json', { config: { needs: 'open' }, schema: { hide: true } }, async () => app.swagger());
  for (const routes of [
    sessionRoutes,
    overviewRoutes,
    planRoutes,
    jobRoutes,
    sourceRoutes,
    repositoryRoutes,
    snapshotRoutes,
    restoreRoutes,
    channelRoutes,
    peopleRoutes,
    configRoutes,
    discoveryRoutes,
    recoveryKitRoutes,
  ])
    routes(app, context);
  eventRoutes(app, context, stopping);
}
