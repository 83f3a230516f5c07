import { SourceError } from '../errors.ts';
import type { MongoConnection } from './connection.ts';
import { isDatabaseName } from './dump-names.ts';
import type { CollectionManifest } from './manifest.ts';
import { namespaceFilter, namespaceRenamer } from './namespaces.ts';

/** What of a dump is restored, and under which names. */
export interface RestoreChoice {
  includes?: readonly string[] | undefined;
  excludes?: readonly string[] | undefined;
  renames?: readonly { from: string; to: string }[] | undefined;
  /** Replace what is there: drops each collection before it is restored. */
  drop?: boolean | undefined;
  /** Fill up what an interrupted restore has left; what is there is compared, never written over. */
  resume?: boolean | undefined;
  /** Name conflicts instead of refusing them. */
  dryRun?: boolean | undefined;
  /** Databases and namespaces whose replacement was confirmed by typing their names. */
  confirmed?: readonly string[] | undefined;
}

export interface PlannedCollection {
  manifest: CollectionManifest;
  database: string;
  name: string;
  /** Whether something of the name is there: empty, or to be dropped. */
  isThere: boolean;
  holdsDocuments: boolean;
}

export interface RestorePlan {
  collections: PlannedCollection[];
  /** Databases that get another name, because theirs is taken. */
  moved: { from: string; to: string }[];
  /** What would be overwritten without leave: only in a dry run, otherwise the plan is refused. */
  conflicts: string[];
  /** System collections, which a restore of documents would break. */
  left: string[];
  /** Where a collection would go that is not in the dump; undefined when it is not wanted. */
  targetOf(namespace: string): { database: string; name: string } | undefined;
}

const copiesMax = 1000;

/**
 * Decides where everything goes, before anything is written. Without renames a database whose collections hold
 * documents already is restored beside itself, as `NAME_restored`.
 * @throws SourceError 'sources.target' when something would be overwritten; 'sources.absent' when nothing is wanted
 */
export async function planRestore(
  connection: MongoConnection,
  collections: readonly CollectionManifest[],
  choice: RestoreChoice,
): Promise<RestorePlan> {
  const isWanted = namespaceFilter(choice);
  const wanted = collections.filter(({ database, name }) => isWanted(`${database}.${name}`));
  const left = wanted.filter(isOfTheSystem);
  const data = wanted.filter((one) => !isOfTheSystem(one));
  if (data.length === 0)
    throw new SourceError('sources.absent', 'nothing of the dump is wanted', {
      hint: 'Look into its manifest for what there is, and check the patterns.',
    });
  const rename = namespaceRenamer(choice.renames ?? []);
  const targets = data.map((manifest) => ({
    manifest,
    ...splitNamespace(rename(`${manifest.database}.${manifest.name}`)),
  }));
  refuseDoubles(targets);
  const there = await whatIsThere(connection, targets);
  const occupied = targets.filter(({ database, name }) => there.get(database)?.get(name));
  const hasNames = choice.drop || (choice.renames ?? []).length > 0;
  const conflicts = hasNames && !choice.resume ? unconfirmed(occupied, choice) : [];
  if (conflicts.length > 0 && !choice.dryRun) throw wouldOverwrite(conflicts);
  const moved = hasNames ? [] : await movedNames(connection, targets, occupied, choice);
  const aside = new Map(moved.map(({ from, to }) => [from, to]));
  const placed = targets.map((one) => ({ ...one, database: aside.get(one.database) ?? one.database }));
  // Beside itself nothing is there, but what is resumed.
  const thereNow = choice.resume && moved.length > 0 ? await whatIsThere(connection, placed) : there;
  return {
    collections: placed.map(({ manifest, database, name }) => ({
      manifest,
      database,
      name,
      isThere: thereNow.get(database)?.has(name) ?? false,
      holdsDocuments: thereNow.get(database)?.get(name) ?? false,
    })),
    moved,
    conflicts,
    left: left.map(({ database, name }) => `${database}.${name}`),
    targetOf(namespace) {
      const source = splitNamespace(namespace);
      if (isOfTheSystem(source) || !isWanted(namespace)) return undefined;
      const { database, name } = splitNamespace(rename(namespace));
      return { database: aside.get(database) ?? database, name };
    },
  };
}

/** Users, roles and the state of a cluster are no documents to insert. */
function isOfTheSystem({ database, name }: { database: string; name: string }): boolean {
  return (
    database === 'config' || database === 'local' || (database === 'admin' && name.startsWith('system.'))
  );
}

export function splitNamespace(namespace: string): { database: string; name: string } {
  const dot = namespace.indexOf('.');
  const [database, name] = [namespace.slice(0, dot), namespace.slice(dot + 1)];
  if (dot < 0 || name === '' || !isDatabaseName(database))
    throw new SourceError('sources.pattern', `${JSON.stringify(namespace)} is no name of a collection`, {
      hint: 'Write --ns-to like --ns-from: a database, a dot, a collection.',
    });
  return { database, name };
}

type Target = { manifest: CollectionManifest; database: string; name: string };

function refuseDoubles(targets: readonly Target[]): void {
  const seen = new Set<string>();
  for (const { database, name } of targets) {
    const namespace = `${database}.${name}`;
    if (seen.has(namespace))
      throw new SourceError('sources.pattern', `two collections would be restored as ${namespace}`, {
        hint: 'Choose names by --ns-from and --ns-to that keep them apart.',
      });
    seen.add(namespace);
  }
}

/** Database → collection → whether it holds anything. A view counts as something. */
async function whatIsThere(
  connection: MongoConnection,
  targets: readonly Target[],
): Promise<Map<string, Map<string, boolean>>> {
  const there = new Map<string, Map<string, boolean>>();
  for (const database of new Set(targets.map((one) => one.database))) {
    const listed = await connection.db(database).listCollections({}, { nameOnly: true }).toArray();
    const types = new Map(listed.map(({ name, type }) => [name, type]));
    const found = new Map<string, boolean>();
    for (const { name } of targets.filter((one) => one.database === database)) {
      const type = types.get(name);
      if (type !== undefined)
        found.set(name, type === 'view' || (await holdsDocuments(connection, database, name)));
    }
    there.set(database, found);
  }
  return there;
}

async function holdsDocuments(connection: MongoConnection, database: string, name: string): Promise<boolean> {
  const command = { find: name, limit: 1, singleBatch: true };
  const what = `cannot see whether ${database}.${name} holds documents`;
  return (await connection.rawDocuments(database, command, what)).length > 0;
}

function unconfirmed(occupied: readonly Target[], { drop, confirmed = [] }: RestoreChoice): string[] {
  const isConfirmed = ({ database, name }: Target): boolean =>
    confirmed.includes(database) || confirmed.includes(`${database}.${name}`);
  return occupied
    .filter((one) => !drop || !isConfirmed(one))
    .map(({ database, name }) => `${database}.${name}`);
}

function wouldOverwrite(names: readonly string[]): SourceError {
  const shown = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
  const databases = [...new Set(names.map((name) => name.slice(0, name.indexOf('.'))))];
  return new SourceError('sources.target', `the target holds documents already: ${shown}`, {
    hint: `Restore under another name with --ns-from and --ns-to, or replace them with --drop ${databases.map((name) => `--yes-drop ${name}`).join(' ')}.`,
  });
}

/** Databases that are restored beside themselves; resumed, those that were. */
async function movedNames(
  connection: MongoConnection,
  targets: readonly Target[],
  occupied: readonly Target[],
  { resume }: RestoreChoice,
): Promise<{ from: string; to: string }[]> {
  const moved: { from: string; to: string }[] = [];
  for (const from of new Set((resume ? targets : occupied).map(({ database }) => database))) {
    const { free, before } = await freeName(connection, from);
    const to = resume ? before : free;
    if (to !== undefined) moved.push({ from, to });
  }
  return moved;
}

/** The first name beside a database that is free, and the one before it, which is taken. */
async function freeName(
  connection: MongoConnection,
  database: string,
): Promise<{ free: string; before?: string }> {
  let before: string | undefined;
  for (let copy = 1; copy <= copiesMax; copy++) {
    const name = `${database}_restored${copy === 1 ? '' : copy}`;
    if (!isDatabaseName(name)) break;
    if ((await connection.db(name).listCollections({}, { nameOnly: true }).toArray()).length === 0)
      return { free: name, ...(before === undefined ? {} : { before }) };
    before = name;
  }
  throw new SourceError('sources.target', `no free name was found for the database ${database}`, {
    hint: 'Give one with --ns-from and --ns-to.',
  });
}
