import { BSON } from 'mongodb';
import { findElement, textOf } from '../bson-bytes.ts';
import { isTrue, numberOf } from '../bson-values.ts';

// mongodump's archive, as written by MongoDB Database Tools 100.x (common/archive).

export const archiveMagic = Buffer.from([0x6d, 0xe2, 0x99, 0x81]);
/** Ends the prelude and every block. */
export const archiveEnd = Buffer.from([0xff, 0xff, 0xff, 0xff]);
const archiveVersion = '0.1';

export interface ArchiveHeader {
  serverVersion: string;
  toolVersion: string;
  concurrentCollections: number;
}

/** What an archive announces of a namespace. */
export interface ArchiveNamespace {
  database: string;
  collection: string;
  /** The text of its `.metadata.json`; empty where there is none. */
  metadata: string;
  /** `collection`, `view`, `timeseries`, or empty. */
  type: string;
}

/** Before documents, or after the last of a namespace: then with their CRC. */
export interface ArchiveBlock {
  database: string;
  collection: string;
  isEnd: boolean;
  crc: bigint;
}

export function encodeHeader({
  serverVersion,
  toolVersion,
  concurrentCollections,
}: ArchiveHeader): Uint8Array {
  return BSON.serialize({
    concurrent_collections: new BSON.Int32(concurrentCollections),
    version: archiveVersion,
    server_version: serverVersion,
    tool_version: toolVersion,
  });
}

export function encodeNamespace({ database, collection, metadata, type }: ArchiveNamespace): Uint8Array {
  return BSON.serialize({ db: database, collection, metadata, size: new BSON.Int32(0), type });
}

export function encodeBlock({ database, collection, isEnd, crc }: ArchiveBlock): Uint8Array {
  return BSON.serialize({ db: database, collection, EOF: isEnd, CRC: BSON.Long.fromBigInt(crc) });
}

/** @returns undefined when it is no header, or one of another version */
export function decodeHeader(document: Uint8Array): ArchiveHeader | undefined {
  if (textOf(document, 'version') !== archiveVersion) return undefined;
  return {
    serverVersion: textOf(document, 'server_version') ?? '',
    toolVersion: textOf(document, 'tool_version') ?? '',
    concurrentCollections: numberOf(findElement(document, 'concurrent_collections')) ?? 1,
  };
}

/** @returns undefined when it is none */
export function decodeNamespace(document: Uint8Array): ArchiveNamespace | undefined {
  const [database, collection] = [textOf(document, 'db'), textOf(document, 'collection')];
  if (database === undefined || collection === undefined) return undefined;
  return {
    database,
    collection,
    metadata: textOf(document, 'metadata') ?? '',
    type: textOf(document, 'type') ?? '',
  };
}

/** @returns undefined when it is none */
export function decodeBlock(document: Uint8Array): ArchiveBlock | undefined {
  const [database, collection] = [textOf(document, 'db'), textOf(document, 'collection')];
  const crc = findElement(document, 'CRC');
  if (database === undefined || collection === undefined || crc?.value.length !== 8) return undefined;
  const { value } = crc;
  return {
    database,
    collection,
    isEnd: isTrue(document, 'EOF'),
    crc: Buffer.from(value.buffer, value.byteOffset, 8).readBigInt64LE(),
  };
}
