import { messageOf } from '#base';
import { documentsIn } from './bson-bytes.ts';
import { ContentHash, isSameContent } from './content-hash.ts';
import { type CollectionManifest, type DumpManifest, dumpFolder, oplogFileName } from './manifest.ts';
import { entriesOf, type OplogRange } from './oplog/oplog-range.ts';
import type { SliceManifest } from './oplog/slice-manifest.ts';

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
  options: ReadBackOptions,
): Promise<ReadBackCounts> {
  const counts = noCounts();
  const captured = manifest.oplog?.captured;
  if (captured) await readOplogBack(captured, open, { ...options, counts });
  for (const collection of manifest.collections)
    await guarded(`${collection.database}.${collection.name}`, options, async () => {
      await assertMetadata(collection, open);
      const { content } = collection;
      if (content && collection.dataFile) {
        const found = await contentOf(open(`${dumpFolder}/${collection.dataFile}`), options.onBytes);
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

/** The same of a slice of the oplog: each entry is parsed, and all are those that the manifest states. */
export async function readSliceBack(
  manifest: SliceManifest,
  open: OpenDumpFile,
  options: ReadBackOptions,
): Promise<ReadBackCounts> {
  const counts = noCounts();
  const { first, last, count, bytes, checksum } = manifest;
  await readOplogBack({ first, last, count, bytes, checksum }, open, { ...options, counts });
  return counts;
}

function noCounts(): ReadBackCounts {
  return { collections: 0, entries: 0, documents: 0, bytes: 0 };
}

async function readOplogBack(
  stated: OplogRange,
  open: OpenDumpFile,
  options: ReadBackOptions & { counts: ReadBackCounts },
): Promise<void> {
  await guarded(oplogFileName, options, async () => {
    let count = 0;
    for await (const { bytes } of entriesOf(open(`${dumpFolder}/${oplogFileName}`), stated)) {
      count++;
      options.onBytes?.(bytes.length);
    }
    options.counts.entries += count;
    options.counts.bytes += stated.bytes;
  });
}

/** What is not as it must be is told, and the others are looked at all the same. */
async function guarded(
  path: string,
  { onProblem, signal }: ReadBackOptions,
  read: () => Promise<void>,
): Promise<void> {
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
