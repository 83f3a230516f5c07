import { messageOf } from '#base';
import { documentsIn } from './bson-bytes.ts';
import { ContentHash, isSameContent } from './content-hash.ts';
import { type CollectionManifest, type DumpManifest, dumpFolder, oplogFileName } from './manifest.ts';
import { entriesOf, type OplogRange } from './oplog/oplog-range.ts';

/** Reads a file beside the manifest: `dump/shop/orders.bson`. */
export type OpenDumpFile = (path: string) => AsyncIterable<Uint8Array>;

export interface ReadBackOptions {
  /** Told of everything that is not as the manifest states. */
  onProblem(problem: { path: string; error: Error; gravity: 'lost' }): void;
  onBytes?: ((count: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface ReadBackCounts {
  collections: number;
  /** Entries of the oplog. */
  entries: number;
  documents: number;
  bytes: number;
}

/**
 * Parses a stored dump again, document by document, and compares count, bytes and hash of each collection with the
 * manifest. @returns what matched
 */
export async function readDumpBack(
  manifest: DumpManifest,
  open: OpenDumpFile,
  { onProblem, onBytes, signal }: ReadBackOptions,
): Promise<ReadBackCounts> {
  const counts: ReadBackCounts = { collections: 0, entries: 0, documents: 0, bytes: 0 };
  const tryTo = async (path: string, read: () => Promise<void>): Promise<void> => {
    try {
      await read();
    } catch (error) {
      signal?.throwIfAborted();
      onProblem({
        path,
        error: new Error(`not as it was dumped: ${messageOf(error)}`, { cause: error }),
        gravity: 'lost',
      });
    }
  };
  const captured = manifest.oplog?.captured;
  if (captured)
    await tryTo(oplogFileName, async () => {
      counts.entries = await countEntries(open(`${dumpFolder}/${oplogFileName}`), captured, onBytes);
      counts.bytes += captured.bytes;
    });
  for (const collection of manifest.collections)
    await tryTo(`${collection.database}.${collection.name}`, async () => {
      await assertMetadata(collection, open);
      const { content } = collection;
      if (content && collection.dataFile) {
        const found = await contentOf(open(`${dumpFolder}/${collection.dataFile}`), onBytes);
        if (!isSameContent(found, content))
          throw new Error(
            `read back ${found.count} documents, ${found.bytes} bytes, hash ${found.hash}; the manifest states ${content.count}, ${content.bytes}, ${content.hash}`,
          );
        counts.documents += found.count;
        counts.bytes += found.bytes;
      }
      counts.collections++;
    });
  return counts;
}

/** Reads a stretch of the oplog to its end. @throws SourceError 'sources.damaged' when it is not what was stated */
export async function countEntries(
  stream: AsyncIterable<Uint8Array>,
  stated: OplogRange,
  onBytes?: (count: number) => void,
): Promise<number> {
  let count = 0;
  for await (const { bytes } of entriesOf(stream, stated)) {
    count++;
    onBytes?.(bytes.length);
  }
  return count;
}

async function contentOf(stream: AsyncIterable<Uint8Array>, onBytes?: (count: number) => void) {
  const hash = new ContentHash();
  for await (const document of documentsIn(stream)) {
    hash.add(document);
    onBytes?.(document.length);
  }
  return hash.summary();
}

async function assertMetadata({ metadataFile, name }: CollectionManifest, open: OpenDumpFile): Promise<void> {
  const pieces: Uint8Array[] = [];
  for await (const piece of open(`${dumpFolder}/${metadataFile}`)) pieces.push(piece);
  const metadata: unknown = JSON.parse(Buffer.concat(pieces).toString());
  if ((metadata as { collectionName?: unknown }).collectionName !== name)
    throw new Error('its metadata names another collection');
}
