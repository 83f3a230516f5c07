import type { Document } from 'mongodb';
import type { DumpChoice } from './namespaces.ts';

/** A right as the server states it: what may be done to what. */
export interface Privilege {
  resource: {
    cluster?: boolean;
    anyResource?: boolean;
    db?: string;
    collection?: string;
    system_buckets?: string;
  };
  actions: string[];
}

/** The least that a dump needs. An empty name means every one, but covers neither `config`, `local` nor `system.*`. */
export function neededPrivileges(
  { database, withUsers }: DumpChoice,
  { hasOplog = true }: { hasOplog?: boolean } = {},
): Privilege[] {
  const read = ['find', 'listCollections', 'listIndexes', 'dbStats'];
  const db = database ?? '';
  const ofUsers = ['system.users', 'system.roles', 'system.version'].map((collection) => ({
    resource: { db: 'admin', collection },
    actions: ['find', 'listIndexes'],
  }));
  return [
    ...(database === undefined
      ? [{ resource: { cluster: true }, actions: ['listDatabases', 'getParameter'] }]
      : []),
    { resource: { db, collection: '' }, actions: read },
    { resource: { db, system_buckets: '' }, actions: ['find'] },
    { resource: { db, collection: 'system.js' }, actions: ['find', 'listIndexes'] },
    ...(database === undefined
      ? [
          { resource: { db: 'config', collection: '' }, actions: ['find', 'listCollections', 'listIndexes'] },
          ...(hasOplog ? [{ resource: { db: 'local', collection: 'oplog.rs' }, actions: ['find'] }] : []),
        ]
      : []),
    ...(withUsers ? ofUsers : []),
  ];
}

/** Of what is needed, what nothing that is held covers. */
export function missingPrivileges(held: readonly Privilege[], needed: readonly Privilege[]): Privilege[] {
  return needed.flatMap(({ resource, actions }) => {
    const covering = held.filter((one) => covers(one.resource, resource));
    const missing = actions.filter(
      (action) => !covering.some((one) => one.actions.includes(action) || one.actions.includes('anyAction')),
    );
    return missing.length > 0 ? [{ resource, actions: missing }] : [];
  });
}

function covers(held: Privilege['resource'], needed: Privilege['resource']): boolean {
  if (held.anyResource) return true;
  if (needed.cluster) return held.cluster === true;
  if (held.db === undefined && held.system_buckets === undefined) return false;
  const isDatabase = held.db === needed.db || (held.db === '' && !['config', 'local'].includes(needed.db!));
  if (needed.system_buckets !== undefined) return isDatabase && held.system_buckets === '';
  const isCollection =
    held.collection === needed.collection ||
    (held.collection === '' && !needed.collection!.startsWith('system.'));
  return isDatabase && isCollection;
}

/** The commands, for mongosh in `admin`, that make a user who may do just that. */
export function commandsForUser(choice: DumpChoice): { createRole: Document; createUser: Document } {
  const role = choice.database === undefined ? 'holdfastBackup' : `holdfastBackup_${choice.database}`;
  return {
    createRole: { createRole: role, privileges: neededPrivileges(choice).map(withWishes), roles: [] },
    createUser: { createUser: 'holdfast', pwd: '<password>', roles: [{ role, db: 'admin' }] },
  };
}

/** With what is not needed, but used where it is allowed: sizes, to split what is large; the state of the set, to be gentle. */
function withWishes({ resource, actions }: Privilege): Privilege {
  if (actions.includes('dbStats')) return { resource, actions: [...actions, 'collStats'] };
  return resource.cluster ? { resource, actions: [...actions, 'replSetGetStatus'] } : { resource, actions };
}
