import { systemClock } from '#base';
import { textOf } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';
import { ContentHash, type ContentSummary, isSameContent } from './content-hash.ts';
import { indexSpecsOf } from './create-collection.ts';
import { dataPlaceOf } from './data-place.ts';
import { RateLimit } from './rate-limit.ts';
import { readCollection } from './read-collection.ts';
import type { PlannedCollection } from './restore-plan.ts';

const batchSize = 100_000;

/**
 * Reads a restored collection from the target.
 * @param expected what may be there; the first is told when nothing fits
 * @param options hasIndexes: whether they are built already
 * @returns what is not as it must be, for people
 */
export async function compareRestored(
  connection: MongoConnection,
  { manifest, database, name }: PlannedCollection,
  expected: readonly ContentSummary[],
  { hasIndexes, signal }: { hasIndexes: boolean; signal: AbortSignal },
): Promise<string[]> {
  const hash = new ContentHash();
  const documents = readCollection({
    connection,
    database,
    ...dataPlaceOf({ type: manifest.type, name }, connection.server),
    batchSize,
    hash,
    rate: new RateLimit(systemClock, undefined),
    signal,
  });
  for await (const _ of documents);
  const found = hash.summary();
  const differences: string[] = [];
  if (!expected.some((one) => isSameContent(found, one))) {
    const [wanted] = expected;
    differences.push(
      `not as it was dumped: the target holds ${found.count} documents, ${found.bytes} bytes, hash ${found.hash}; expected were ${wanted!.count}, ${wanted!.bytes}, ${wanted!.hash}`,
    );
  }
  if (!hasIndexes) return differences;
  const missing = await missingIndexes(connection, { manifest, database, name });
  if (missing.length > 0) differences.push(`the target lacks its indexes ${missing.join(', ')}`);
  return differences;
}

async function missingIndexes(
  connection: MongoConnection,
  { manifest, database, name }: Pick<PlannedCollection, 'manifest' | 'database' | 'name'>,
): Promise<string[]> {
  const what = `cannot list the indexes of ${database}.${name}`;
  const listed = await connection.rawDocuments(database, { listIndexes: name }, what);
  const names = new Set(listed.map((one) => textOf(one, 'name')));
  return indexSpecsOf(manifest)
    .map((spec) => String(spec.get('name')))
    .filter((one) => !names.has(one));
}
