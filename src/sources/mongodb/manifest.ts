import { SourceError } from '../errors.ts';
import type { OplogTime } from './bson-values.ts';
import type { ServerFacts } from './connection.ts';
import type { ContentSummary } from './content-hash.ts';
import type { DumpChoice } from './namespaces.ts';
import type { OplogMark } from './oplog/oplog-entry.ts';
import { isOplogMark, isOplogRange, type OplogRange } from './oplog/oplog-range.ts';

/** What a dump is, beside it as `manifest.json`; docs/format/mongodb.md says more. */
export interface DumpManifest {
  format: 'holdfast-mongodb-dump';
  version: 1;
  /** ISO 8601, by this machine's clock. */
  startedAt: string;
  endedAt: string;
  server: ServerFacts;
  /** What was wanted of the deployment; earlier versions did not say it. */
  choice?: DumpChoice;
  consistency: Consistency;
  /** Where the oplog joins; absent where none could be read. */
  oplog?: DumpOplog;
  collections: CollectionManifest[];
  /** What was not read as it should have been. Empty means: everything. */
  problems: { namespace: string; gravity: 'lost' | 'odd'; message: string }[];
}

export interface Consistency {
  /** 'snapshot': all but `notAtTime` were read as they were at one time. 'oplog': they are so once the oplog was replayed. */
  kind: 'snapshot' | 'oplog' | 'none';
  /** For people. */
  sentence: string;
  atClusterTime?: { t: number; i: number };
  /** Namespaces that could not be read at that time, and were read as they came. */
  notAtTime: string[];
}

/** The entries by which a dump becomes one point in time, and with which the next ones join. */
export interface DumpOplog {
  /** In `dump/oplog.bson`; absent when everything was read at one time. */
  captured?: OplogRange;
  /** The entry with which the first slice after the dump begins. */
  last: OplogMark;
  /** Replayed up to here or further, the dump is one point in time. */
  consistentAt: OplogTime;
}

export interface CollectionManifest {
  database: string;
  name: string;
  type?: string;
  uuid?: string;
  /** Paths from the dump's folder. A view has no data. */
  metadataFile: string;
  dataFile?: string;
  /** Absent for a view, and where the data is lost. */
  content?: ContentSummary;
  /** What the server counted before and after. */
  counted?: { before: number; after: number };
  /** Least and greatest `_id` in the server's order, as Extended JSON. */
  minId?: string;
  maxId?: string;
  /** Documents of listCollections and listIndexes, BSON as base64: nothing depends on JSON. */
  info: string;
  indexes: string[];
}

export const manifestName = 'manifest.json';
export const dumpFolder = 'dump';
/** In the dump's folder, as mongodump has it. */
export const oplogFileName = 'oplog.bson';

/** @throws SourceError 'sources.damaged' when it is no manifest, or one of a later version */
export function parseManifest(text: string): DumpManifest {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (cause) {
    throw new SourceError('sources.damaged', 'the manifest of the dump is no JSON', { cause });
  }
  if (!isManifest(manifest))
    throw new SourceError(
      'sources.damaged',
      'the manifest of the dump is of another kind or a later version',
      {
        hint: 'Use the version of Holdfast that wrote it, or a later one.',
      },
    );
  return manifest;
}

function isManifest(value: unknown): value is DumpManifest {
  if (typeof value !== 'object' || value === null) return false;
  const { format, version, collections, oplog } = value as Partial<DumpManifest>;
  if (format !== 'holdfast-mongodb-dump' || version !== 1 || !Array.isArray(collections)) return false;
  if (oplog !== undefined && !isDumpOplog(oplog)) return false;
  return (collections as Partial<CollectionManifest>[]).every(
    ({ database, name, metadataFile, dataFile, content, info, indexes }) =>
      [database, name, metadataFile, info].every((text) => typeof text === 'string') &&
      ['string', 'undefined'].includes(typeof dataFile) &&
      (content === undefined || isSummary(content)) &&
      Array.isArray(indexes),
  );
}

function isDumpOplog({ captured, last, consistentAt }: Partial<DumpOplog>): boolean {
  return (
    (captured === undefined || isOplogRange(captured)) &&
    isOplogMark(last) &&
    Number.isSafeInteger(consistentAt?.t) &&
    Number.isSafeInteger(consistentAt?.i)
  );
}

function isSummary({ count, bytes, hash }: Partial<ContentSummary>): boolean {
  return Number.isSafeInteger(count) && Number.isSafeInteger(bytes) && /^[0-9a-f]{64}$/.test(String(hash));
}
