import { HoldfastError, messageOf } from '#base';
import type { ConfiguredWrite, Origin } from '#catalog';
import { type Configured, changesBetween, type Existing, type Reading, type Section } from '#config';
import type { Fault, Settings } from '#contract';
import { lookAtRepository, makeRepository } from '#plans';
import type { ServerContext } from '../context.ts';

/** How the reading of holdfast.yaml went last. */
export interface ConfigStatus {
  file: string;
  readAt: string;
  /** False: what it said before still holds. */
  isTaken: boolean;
  faults: Fault[];
}

const statusName = 'config.status';
const settingsName = 'config.settings';

/** The noun of the catalog behind each section of the file. */
const nouns: Record<Section, ConfiguredWrite['noun']> = {
  channels: 'channel',
  repositories: 'repository',
  sources: 'source',
  plans: 'plan',
};

/**
 * Makes what a file says hold, in one transaction, or nothing of it; tells both as an event. What left the file is
 * removed. What was made in the dashboard stays, unless the file names it: then it is the file's from now on.
 */
export async function applyConfig(
  context: ServerContext,
  { file, reading }: { file: string; reading: Reading },
): Promise<ConfigStatus> {
  const { records, clock } = context;
  const { configuration } = reading;
  const nowMs = clock.nowMs();
  const existing = await configuredThings(context);
  const { changes, faults } = configuration
    ? changesBetween(existing, configuration, { nowMs })
    : { changes: [], faults: reading.faults };
  const isTaken = configuration !== undefined && faults.length === 0;
  const status: ConfigStatus = { file, readAt: new Date(nowMs).toISOString(), isTaken, faults };
  if (isTaken) {
    const removed = changes.filter(({ action }) => action === 'remove').map(({ item }) => item);
    const changed = changes.filter(({ action }) => action !== 'remove').map(({ item }) => item);
    await records.configure([
      ...writesOf([...changed, ...moved(existing, reading)], reading),
      ...removed.flatMap((item) => (item.section === 'settings' ? [] : [removalOf(item)])),
    ]);
    const settings = changed.find((item) => item.section === 'settings');
    if (settings) await records.settings.save(settingsName, settings.spec);
    for (const item of changed) if (item.section === 'repositories') await beginRepository(context, item);
  }
  await tell(context, status, changes.length);
  await records.settings.save(statusName, status);
  return status;
}

export async function configStatus({ records }: ServerContext): Promise<ConfigStatus | undefined> {
  return records.settings.find<ConfigStatus>(statusName);
}

/** The settings of the file; of a server without one, none. */
export async function settingsOf({ records }: Pick<ServerContext, 'records'>): Promise<Settings> {
  return (await records.settings.find<Settings>(settingsName)) ?? {};
}

/** All that is configured, whoever did it. What the server made by itself is the server's. */
export async function configuredThings({ records }: Pick<ServerContext, 'records'>): Promise<Existing[]> {
  const named = await Promise.all(
    (Object.keys(nouns) as Section[]).map(async (section) => {
      const all = await records[section].list();
      return all.map(({ name, spec, origin }) => ({
        section,
        name,
        spec,
        isFromFile: origin.from === 'file',
        line: origin.from === 'file' ? origin.line : undefined,
      }));
    }),
  );
  const settings = await settingsOf({ records });
  return [
    { section: 'settings', name: 'settings', spec: settings, isFromFile: true },
    ...(named.flat() as unknown as Existing[]),
  ];
}

/** What stays as it is, but on another line. */
function moved(existing: readonly Existing[], { lineOf, configuration }: Reading): Configured[] {
  return existing.filter((item) => {
    if (item.section === 'settings' || !item.isFromFile) return false;
    const isThere = configuration && item.name in configuration[item.section];
    return isThere && lineOf(item.section, item.name) !== (item as { line?: number }).line;
  });
}

function writesOf(items: readonly Configured[], { lineOf, configuration }: Reading): ConfiguredWrite[] {
  const writes = new Map<string, ConfiguredWrite>();
  for (const { section, name } of items) {
    if (section === 'settings') continue;
    const origin: Origin = { from: 'file', line: lineOf(section, name) };
    const spec = configuration![section][name];
    writes.set(`${section}/${name}`, { noun: nouns[section], name, spec, origin });
  }
  return [...writes.values()];
}

function removalOf({ section, name }: Configured): ConfiguredWrite {
  return { noun: nouns[section as Section], name };
}

/** Makes a new repository where the place is empty. One that cannot be had is told, and keeps nothing else back. */
async function beginRepository(
  context: ServerContext,
  { name, spec }: Extract<Configured, { section: 'repositories' }>,
): Promise<void> {
  try {
    await makeRepository(spec, context.surroundings);
  } catch (error) {
    await context.records.journal.add({
      type: 'storage.lost',
      severity: 'error',
      message: `the repository ${name} of holdfast.yaml cannot be had: ${messageOf(error)}`,
      facts: { repository: name, ...(error instanceof HoldfastError && { reason: { hint: error.hint } }) },
    });
  }
  await lookAtRepository(context, { name, spec });
}

async function tell(
  { records }: ServerContext,
  { file, isTaken, faults }: ConfigStatus,
  changeCount: number,
): Promise<void> {
  if (isTaken) {
    if (changeCount === 0) return;
    const message = `${file} was read: ${changeCount} ${changeCount === 1 ? 'thing is' : 'things are'} other than before`;
    return records.journal.add({ type: 'config.applied', severity: 'info', message, facts: { file } });
  }
  const [first] = faults;
  const place = first?.line === undefined ? file : `${file}:${first.line}:${first.column ?? 1}`;
  return records.journal.add({
    type: 'config.refused',
    severity: 'error',
    message: `${place}: ${first?.message ?? 'it cannot be read'}; what it said before still holds`,
    facts: { file, faults, reason: { hint: first?.hint ?? 'Mend the file; it is read again by itself.' } },
  });
}
