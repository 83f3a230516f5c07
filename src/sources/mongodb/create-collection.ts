import type { Document } from 'mongodb';
import { messageOf } from '#base';
import { bsonTypes, findElement } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';
import { isUnreachable } from './mongo-error.ts';
import { orderedDocument } from './ordered-document.ts';
import type { PlannedCollection } from './restore-plan.ts';

/** Options that servers list and do not take. */
export const optionsLeft = ['autoIndexId', 'recordIdsReplicated', 'uuid'];
/** Of an index: the server chooses the version; the others mean nothing any more. */
const indexFieldsLeft = ['v', 'ns', 'background', 'dropDups', 'safe'];

/** Makes the collection or view with its options, unless an empty one is there. */
export async function createCollection(
  connection: MongoConnection,
  { manifest, database, name, isThere }: PlannedCollection,
  { drop }: { drop: boolean },
): Promise<void> {
  const namespace = `${database}.${name}`;
  if (isThere && drop) await connection.command(database, { drop: name }, `cannot drop ${namespace}`);
  if (isThere && !drop) return;
  const options = optionsOf(manifest.info);
  for (const left of optionsLeft) options.delete(left);
  const command: Document = { create: name, ...Object.fromEntries(options) };
  await connection.command(database, command, `cannot create ${namespace}`);
}

/**
 * Builds all indexes but that of `_id`, those that delete documents after a time last. When not all can be built
 * at once, each is tried alone.
 */
export async function buildIndexes(
  connection: MongoConnection,
  { database, name }: { database: string; name: string },
  specs: readonly Map<string, unknown>[],
): Promise<{ built: number; failures: string[] }> {
  if (specs.length === 0) return { built: 0, failures: [] };
  const build = (indexes: readonly unknown[]): Promise<Document> =>
    connection.command(
      database,
      { createIndexes: name, indexes },
      `cannot build the indexes of ${database}.${name}`,
    );
  try {
    await build(specs);
    return { built: specs.length, failures: [] };
  } catch (error) {
    if (isUnreachable(error)) throw error;
  }
  const failures: string[] = [];
  for (const spec of specs)
    try {
      await build([spec]);
    } catch (error) {
      if (isUnreachable(error)) throw error;
      failures.push(`its index ${JSON.stringify(spec.get('name'))} was not built: ${messageOf(error)}`);
    }
  return { built: specs.length - failures.length, failures };
}

export function indexSpecsOf({
  info,
  indexes,
}: {
  info: string;
  indexes: readonly string[];
}): Map<string, unknown>[] {
  const listed = indexes.map((text) => orderedDocument(Buffer.from(text, 'base64')));
  return specsToBuild(listed, { hasCollation: optionsOf(info).has('collation') });
}

/**
 * Of indexes as servers list them, those to build and as createIndexes takes them.
 * @param hasCollation whether the collection has one
 */
export function specsToBuild(
  listed: readonly Map<string, unknown>[],
  { hasCollation }: { hasCollation: boolean },
): Map<string, unknown>[] {
  const specs = listed.filter((spec) => !isIdIndex(spec)).map((spec) => new Map(spec));
  for (const spec of specs) {
    for (const left of indexFieldsLeft) spec.delete(left);
    // Without one it would inherit the collection's.
    if (hasCollation && !spec.has('collation')) spec.set('collation', { locale: 'simple' });
    const is2dSphere = [...(spec.get('key') as Map<string, unknown>).values()].includes('2dsphere');
    if (is2dSphere && !spec.has('2dsphereIndexVersion')) spec.set('2dsphereIndexVersion', 1);
  }
  const isLast = (spec: Map<string, unknown>): number => Number(spec.has('expireAfterSeconds'));
  return specs.sort((one, other) => isLast(one) - isLast(other));
}

function isIdIndex(spec: Map<string, unknown>): boolean {
  const key = spec.get('key');
  return (
    spec.get('name') === '_id_' ||
    (key instanceof Map && key.size === 1 && key.has('_id') && key.get('_id') !== 'hashed')
  );
}

/** The options that listCollections told, `info` being its document as base64. */
export function optionsOf(info: string): Map<string, unknown> {
  const options = findElement(Buffer.from(info, 'base64'), 'options');
  return options?.type === bsonTypes.document ? orderedDocument(options.value) : new Map();
}
