import { SourceError } from '../errors.ts';
import { documentsIn } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';
import { createCollection } from './create-collection.ts';
import { idMatcher } from './find-documents.ts';
import { countKept } from './kept-documents.ts';
import { dumpFolder } from './manifest.ts';
import { insertRaw } from './raw-insert.ts';
import type { OpenDumpFile } from './read-dump-back.ts';
import { noneRestored, type RestoredCounts } from './restore-dump.ts';
import type { PlannedCollection } from './restore-plan.ts';

const documentsMax = 10_000;

/**
 * Restores single documents, byte for byte and never over another one; indexes and views are left out.
 * @param ids see `findDocuments`
 * @throws SourceError 'sources.absent' when there is none; 'sources.target' when another of that `_id` is there
 */
export async function restoreDocuments(
  connection: MongoConnection,
  planned: readonly PlannedCollection[],
  open: OpenDumpFile,
  ids: readonly string[],
): Promise<RestoredCounts> {
  const counts = noneRestored();
  const isWanted = idMatcher(ids);
  for (const one of planned) {
    const documents = await wantedIn(one, open, isWanted);
    if (documents.length === 0) continue;
    await createCollection(connection, one, { drop: false });
    const { database, name } = one;
    const place = { database, collection: name, isOrdered: false, more: { bypassDocumentValidation: true } };
    const { inserted, refused } = await insertRaw(connection, documents, place);
    // Whatever the server said: what counts is what it holds.
    if ((await countKept(connection, one, documents)) < documents.length)
      throw new SourceError(
        'sources.target',
        `${database}.${name} does not take the document: ${refused[0] ?? 'it is not there as it was'}`,
        {
          hint: 'Restore it under another name with --ns-from and --ns-to, and compare.',
        },
      );
    counts.collections++;
    counts.matched++;
    counts.documents += inserted;
    counts.kept += documents.length - inserted;
    counts.bytes += documents.reduce((sum, { length }) => sum + length, 0);
  }
  if (counts.collections > 0) return counts;
  throw new SourceError('sources.absent', 'the backup holds no document of such an _id', {
    hint: 'Look for it with `holdfast find --id`.',
  });
}

async function wantedIn(
  { manifest }: PlannedCollection,
  open: OpenDumpFile,
  isWanted: (document: Uint8Array) => boolean,
): Promise<Uint8Array[]> {
  const documents: Uint8Array[] = [];
  if (!manifest.dataFile || !manifest.content || manifest.type === 'timeseries') return documents;
  for await (const document of documentsIn(open(`${dumpFolder}/${manifest.dataFile}`))) {
    if (!isWanted(document)) continue;
    documents.push(Buffer.from(document));
    if (documents.length > documentsMax)
      throw new SourceError('sources.pattern', `more than ${documentsMax} documents have such an _id`);
  }
  return documents;
}
