import { z } from 'zod';
import {
  type Changes,
  changesBetween,
  configurationOfItems,
  describeChanges,
  exportConfig,
  readConfig,
} from '#config';
import { Fault, Name, Timestamp } from '#contract';
import { configStatus, configuredThings } from '../config/apply-config.ts';
import type { ServerContext } from '../context.ts';
import type { App } from './app-type.ts';

const Text = z
  .strictObject({ text: z.string().max(900_000).describe('of a holdfast.yaml') })
  .meta({ id: 'ConfigText' });
const Status = z
  .object({
    file: z.string(),
    readAt: Timestamp,
    isTaken: z.boolean().describe('false: what it said before still holds'),
    faults: z.array(Fault),
  })
  .meta({ id: 'ConfigStatus' });
const ConfigChange = z
  .object({
    action: z.enum(['add', 'change', 'take-over', 'remove']),
    section: z.enum(['settings', 'channels', 'repositories', 'sources', 'plans']),
    name: Name,
    fields: z.array(z.object({ path: z.string(), before: z.unknown(), after: z.unknown() })),
  })
  .meta({ id: 'ConfigChange' });
const Diff = z
  .object({
    changes: z.array(ConfigChange),
    lines: z.array(z.string()).describe('the same for people'),
    faults: z.array(Fault).describe('why it would not be taken'),
  })
  .meta({ id: 'ConfigDiff' });

/** The configuration as a file: export, and what a text would be and do. Applying is done by the file itself. */
export function configRoutes(app: App, context: ServerContext): void {
  const { clock } = context;
  app.get('/config', { config: { needs: 'read' } }, async (_, reply) => {
    const configuration = configurationOfItems(await configuredThings(context));
    return reply.type('application/yaml; charset=utf-8').send(exportConfig(configuration));
  });

  app.get(
    '/config/status',
    {
      config: { needs: 'read' },
      schema: { response: { 200: z.object({ hasFile: z.boolean(), last: Status.optional() }) } },
    },
    async () => {
      const last = await configStatus(context);
      return { hasFile: last !== undefined, ...(last && { last }) };
    },
  );

  app.post(
    '/config/validate',
    {
      config: { needs: 'read' },
      schema: { body: Text, response: { 200: z.object({ faults: z.array(Fault) }) } },
    },
    async ({ body }) => ({ faults: readConfig(body.text, { nowMs: clock.nowMs() }).faults }),
  );

  app.post(
    '/config/diff',
    { config: { needs: 'read' }, schema: { body: Text, response: { 200: Diff } } },
    async ({ body }) => {
      const nowMs = clock.nowMs();
      const reading = readConfig(body.text, { nowMs });
      const { changes, faults }: Changes = reading.configuration
        ? changesBetween(await configuredThings(context), reading.configuration, { nowMs })
        : { changes: [], faults: reading.faults };
      return {
        changes: changes.map(({ action, item: { section, name }, fields }) => ({
          action,
          section,
          name,
          fields: fields.map(({ path, before, after }) => ({ path, before, after })),
        })),
        lines: describeChanges(changes),
        faults,
      };
    },
  );
}
