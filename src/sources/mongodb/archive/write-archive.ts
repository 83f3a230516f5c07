import { SourceError } from '../../errors.ts';
import { documentsIn } from '../bson-bytes.ts';
import { ContentHash, isSameContent } from '../content-hash.ts';
import { type CollectionManifest, type DumpManifest, dumpFolder, oplogFileName } from '../manifest.ts';
import type { OpenDumpFile } from '../read-dump-back.ts';
import {
  type ArchiveNamespace,
  archiveEnd,
  archiveMagic,
  encodeBlock,
  encodeHeader,
  encodeNamespace,
} from './archive-format.ts';
import { Crc64 } from './crc64.ts';

const toolVersion = '100.18.0';
const pieceBytes = 512 * 1024;

export interface WriteArchiveOptions {
  /** Told of collections that are not in it, because the backup had lost them. */
  onLeftOut(namespace: string): void;
}

interface Part {
  namespace: ArchiveNamespace;
  /** From the dump's folder; undefined for a view. */
  dataFile?: string | undefined;
  content?: CollectionManifest['content'];
}

/**
 * A stored dump as the archive that `mongodump --archive` writes: one namespace after the other, users and roles
 * first, the oplog last.
 * @throws SourceError 'sources.damaged' in the middle, when the data is not what the manifest states
 */
export async function* archiveOfDump(
  manifest: DumpManifest,
  open: OpenDumpFile,
  { onLeftOut }: WriteArchiveOptions,
): AsyncGenerator<Uint8Array> {
  const parts = await partsOf(manifest, open, onLeftOut);
  const serverVersion = manifest.server.version;
  yield archiveMagic;
  yield encodeHeader({ serverVersion, toolVersion, concurrentCollections: 4 });
  for (const { namespace } of parts) yield encodeNamespace(namespace);
  yield archiveEnd;
  for (const part of parts) yield* blocksOf(part, open);
}

async function partsOf(
  manifest: DumpManifest,
  open: OpenDumpFile,
  onLeftOut: (namespace: string) => void,
): Promise<Part[]> {
  const parts: Part[] = [];
  for (const one of [...manifest.collections].sort((a, b) => rank(a) - rank(b))) {
    const isView = one.type === 'view';
    if (!isView && !one.content) {
      onLeftOut(`${one.database}.${one.name}`);
      continue;
    }
    const metadata = await textOfFile(open(`${dumpFolder}/${one.metadataFile}`));
    parts.push({
      namespace: { database: one.database, collection: one.name, metadata, type: one.type ?? '' },
      dataFile: one.dataFile,
      content: one.content,
    });
  }
  if (manifest.oplog?.captured)
    parts.push({
      namespace: { database: '', collection: 'oplog', metadata: '', type: '' },
      dataFile: oplogFileName,
    });
  return parts;
}

/** mongorestore keeps users and roles before it looks at anything else. */
function rank({ database, name }: CollectionManifest): number {
  return database === 'admin' && name.startsWith('system.') ? 0 : 1;
}

async function textOfFile(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** A data block, which an empty collection and a view have too, and the one that ends the namespace. */
async function* blocksOf(part: Part, open: OpenDumpFile): AsyncGenerator<Uint8Array> {
  const { database } = part.namespace;
  const collection = blockNameOf(part);
  const crc = new Crc64();
  yield encodeBlock({ database, collection, isEnd: false, crc: 0n });
  if (part.dataFile !== undefined) yield* documentsOf(part, open, crc);
  yield archiveEnd;
  yield encodeBlock({ database, collection, isEnd: true, crc: crc.value() });
  yield archiveEnd;
}

/** The buckets of a time series before MongoDB 8.3 have a name of their own. */
function blockNameOf({ namespace, dataFile }: Part): string {
  const { collection, database, type } = namespace;
  const isOfBuckets = type === 'timeseries' && dataFile?.startsWith(`${database}/system.buckets.`);
  return isOfBuckets ? `system.buckets.${collection}` : collection;
}

async function* documentsOf(part: Part, open: OpenDumpFile, crc: Crc64): AsyncGenerator<Uint8Array> {
  const hash = new ContentHash();
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const document of documentsIn(open(`${dumpFolder}/${part.dataFile}`))) {
    hash.add(document);
    crc.add(document);
    pieces.push(document);
    bytes += document.length;
    if (bytes < pieceBytes) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces);
  const { database, collection } = part.namespace;
  if (part.content && !isSameContent(hash.summary(), part.content))
    throw new SourceError(
      'sources.damaged',
      `the snapshot does not hold what its manifest states of ${database}.${collection}`,
      { hint: 'Run `holdfast check --read-data`, and take another snapshot.' },
    );
}
