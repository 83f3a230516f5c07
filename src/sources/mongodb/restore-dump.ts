import type { Document } from 'mongodb';
import { documentsIn } from './bson-bytes.ts';
import { compareRestored } from './compare-restored.ts';
import type { MongoConnection, ServerFacts } from './connection.ts';
import { ContentHash, type ContentSummary, isSameContent } from './content-hash.ts';
import { buildIndexes, createCollection, indexSpecsOf, optionsOf } from './create-collection.ts';
import { dataPlaceOf, keepsEmptyTimestamps } from './data-place.ts';
import { countKept } from './kept-documents.ts';
import { type CollectionManifest, dumpFolder } from './manifest.ts';
import { isUnreachable } from './mongo-error.ts';
import { asStored, type InsertOptions, insertRaw } from './raw-insert.ts';
import type { OpenDumpFile } from './read-dump-back.ts';
import type { PlannedCollection } from './restore-plan.ts';

export interface RestoreDumpOptions {
  collectionsAtOnce: number;
  drop: boolean;
  /** What is there already, byte for byte, counts as restored. */
  resume?: boolean | undefined;
  /** Whether an oplog is replayed afterwards: then indexes and views are made after it. */
  isReplayed?: boolean | undefined;
  /** 'lost': it is not there as it was dumped. 'odd': its documents are, but something else is not. */
  onProblem(problem: { path: string; error: Error; gravity: 'lost' | 'odd' }): void;
  onBytes?: ((count: number) => void) | undefined;
  signal: AbortSignal;
}

export interface RestoredCounts {
  collections: number;
  views: number;
  /** Inserted now. */
  documents: number;
  /** Found there already, byte for byte, by a restore that was resumed. */
  kept: number;
  bytes: number;
  indexes: number;
  /** Collections whose count, bytes and hash were found in the target as the manifest states. */
  matched: number;
}

export function noneRestored(): RestoredCounts {
  return { collections: 0, views: 0, documents: 0, kept: 0, bytes: 0, indexes: 0, matched: 0 };
}

/** Most documents and bytes of one insert; a server's own limits are above. */
const batchCountMax = 10_000;
const batchBytesMax = 8 * 1024 * 1024;
/** Most reasons that are told of one collection. */
const reasonsMax = 3;

/**
 * Restores planned collections: options, documents, indexes; views last. Then reads the target and compares it with
 * the manifest. @throws SourceError 'sources.unreachable' when the server goes away
 */
export async function restoreDump(
  connection: MongoConnection,
  planned: readonly PlannedCollection[],
  open: OpenDumpFile,
  options: RestoreDumpOptions,
): Promise<RestoredCounts> {
  const counts: RestoredCounts = noneRestored();
  const data = planned.filter(({ manifest }) => manifest.type !== 'view');
  await eachAtOnce(data, options.collectionsAtOnce, (one) =>
    guarded(one, options, () => restoreCollection({ connection, one, open, options, counts })),
  );
  if (options.isReplayed) return counts;
  for (const one of planned.filter(({ manifest }) => manifest.type === 'view'))
    await guarded(one, options, async () => {
      await createCollection(connection, one, options);
      counts.views++;
    });
  return counts;
}

interface Work {
  connection: MongoConnection;
  one: PlannedCollection;
  open: OpenDumpFile;
  options: RestoreDumpOptions;
  counts: RestoredCounts;
}

/** What goes wrong with one collection does not end the others, unless the server is gone. */
async function guarded(
  { database, name }: PlannedCollection,
  { onProblem, signal }: RestoreDumpOptions,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    signal.throwIfAborted();
    if (isUnreachable(error)) throw error;
    onProblem({ path: `${database}.${name}`, error: error as Error, gravity: 'lost' });
  }
}

async function restoreCollection(work: Work): Promise<void> {
  const { connection, one, options, counts } = work;
  const { manifest, database, name } = one;
  if (!manifest.content || !manifest.dataFile)
    throw new Error('its documents are not in the snapshot: the backup had lost them');
  await createCollection(connection, one, options);
  if (options.resume && one.holdsDocuments && isCapped(manifest))
    throw new Error('a capped collection cannot be filled up in its order; restore it anew with --drop');
  const expected = await insertDocuments(work);
  if (!options.isReplayed) {
    const { built, failures } = await buildIndexes(connection, one, indexSpecsOf(manifest));
    counts.indexes += built;
    for (const failure of failures)
      options.onProblem({ path: `${database}.${name}`, error: new Error(failure), gravity: 'odd' });
  }
  const differences = await compareRestored(connection, one, expected, {
    hasIndexes: !options.isReplayed,
    signal: options.signal,
  });
  counts.collections++;
  if (differences.length === 0) counts.matched++;
  for (const difference of differences)
    options.onProblem({ path: `${database}.${name}`, error: new Error(difference), gravity: 'lost' });
}

/** @returns what may be in the target afterwards: a server puts `_id` first, a compatible one may leave it */
async function insertDocuments({ connection, one, open, options, counts }: Work): Promise<ContentSummary[]> {
  const { manifest } = one;
  const read = new ContentHash();
  const stored = new ContentHash();
  const refused: string[] = [];
  let refusedCount = 0;
  for await (const batch of batchesOf(open(`${dumpFolder}/${manifest.dataFile}`), connection.server)) {
    options.signal.throwIfAborted();
    let bytes = 0;
    for (const document of batch) {
      read.add(document);
      stored.add(asStored(document));
      bytes += document.length;
    }
    const result = await insertRaw(connection, batch, insertionOf(connection.server, one));
    counts.documents += result.inserted;
    counts.bytes += bytes;
    options.onBytes?.(bytes);
    const kept = options.resume ? await countKept(connection, one, pick(batch, result.doubles)) : 0;
    counts.kept += kept;
    refusedCount += result.refused.length - kept;
    if (result.refused.length > kept) refused.push(...result.refused.slice(0, reasonsMax - refused.length));
  }
  if (!isSameContent(read.summary(), manifest.content!))
    throw new Error('the snapshot does not hold what its manifest states; run `holdfast check --read-data`');
  if (refusedCount > 0)
    throw new Error(`the server refused ${refusedCount} of its documents: ${refused.join('; ')}`);
  return [stored.summary(), read.summary()];
}

function pick<Item>(items: readonly Item[], places: readonly number[]): Item[] {
  return places.map((place) => items[place]!);
}

async function* batchesOf(
  stream: AsyncIterable<Uint8Array>,
  server: ServerFacts,
): AsyncGenerator<Uint8Array[]> {
  const countMax = Math.min(batchCountMax, server.writesMax);
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for await (const document of documentsIn(stream)) {
    if (batch.length === countMax || (batch.length > 0 && bytes + document.length > batchBytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(document);
    bytes += document.length;
  }
  if (batch.length > 0) yield batch;
}

function insertionOf(server: ServerFacts, { manifest, database, name }: PlannedCollection): InsertOptions {
  const { collection, isRawData } = dataPlaceOf({ type: manifest.type, name }, server);
  const more: Document = {
    // A validator that was added later must not keep old documents out; of buckets a server wants to look at each.
    ...(manifest.type === 'timeseries' ? {} : { bypassDocumentValidation: true }),
    ...(isRawData ? { rawData: true } : {}),
    ...(keepsEmptyTimestamps(server) ? { bypassEmptyTsReplacement: true } : {}),
  };
  // The order of a capped collection is its meaning.
  return { database, collection, isOrdered: isCapped(manifest), more };
}

function isCapped({ info }: CollectionManifest): boolean {
  return optionsOf(info).get('capped') === true;
}

async function eachAtOnce<Item>(
  items: readonly Item[],
  atOnce: number,
  run: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await run(item);
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}
