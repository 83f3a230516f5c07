import { hostname } from 'node:os';
import { basename, resolve } from 'node:path';
import type { Random } from '#base';
import { lookAtRepository, makeRepository, type Records } from '#plans';
import type { ServerContext } from './context.ts';
import type { StateFolder } from './state-folder.ts';

const origin = { from: 'holdfast' } as const;
export const selfPlanName = 'holdfast-itself';
const localName = 'this-machine';

/** What a new server has: a local repository, and the plan that backs Holdfast itself up into every repository. */
export async function furnish(
  context: Pick<ServerContext, 'records' | 'surroundings' | 'clock'>,
  state: StateFolder,
  random: Random,
): Promise<void> {
  const { records } = context;
  if ((await records.repositories.list()).length === 0) {
    const password = Buffer.from(random.fill(new Uint8Array(24))).toString('base64url');
    const { reference } = await records.secrets.add(password);
    const spec = { location: state.repository, password: reference, description: 'Only on this machine.' };
    await makeRepository(spec, context.surroundings);
    await lookAtRepository(context, await records.repositories.add({ name: localName, spec, origin }));
  }
  if (!(await records.plans.find(selfPlanName)))
    await records.plans.add({
      name: selfPlanName,
      spec: {
        kind: 'self',
        description: 'Catalog, settings and sealed secrets.',
        schedule: { daily: '03:30' },
        objective: '26h',
        keep: { daily: 14, weekly: 8 },
      },
      origin,
    });
}

/** Makes a plan for a folder that was given on the command line. @returns its name */
export async function planFolder(records: Records, given: string): Promise<string> {
  const path = resolve(given);
  const plain = basename(path)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+/g, '');
  const name = plain.slice(0, 60) || `${hostname().toLowerCase()}-files`;
  if (await records.plans.find(name)) return name;
  if (!(await records.sources.find(name)))
    await records.sources.add({ name, spec: { kind: 'files', paths: [path] }, origin });
  const [repository] = await records.repositories.list();
  await records.plans.add({
    name,
    spec: {
      kind: 'backup',
      sources: [name],
      repositories: [repository!.name],
      schedule: { daily: '02:30' },
      objective: '26h',
      keep: { daily: 7, weekly: 4, monthly: 6 },
    },
    origin,
  });
  return name;
}
