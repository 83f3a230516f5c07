import { SourceError } from '../errors.ts';
import type { ServerFacts } from './connection.ts';
import type { ContentSummary } from './content-hash.ts';

/** What a dump is, beside it as `manifest.json`; docs/format/mongodb.md says more. */
export interface DumpManifest {
  format: 'holdfast-mongodb-dump';
  version: 1;
  /** ISO 8601, by this machine's clock. */
  startedAt: string;
  endedAt: string;
  server: ServerFacts;
  consistency: Consistency;
  collections: CollectionManifest[];
  /** What was not read as it should have been. Empty means: everything. */
  problems: { namespace: string; gravity: 'lost' | 'odd'; message: string }[];
}

export interface Consistency {
  /** Whether all collections but `notAtTime` were read as they were at one time. */
  kind: 'snapshot' | 'none';
  /** For people. */
  sentence: string;
  atClusterTime?: { t: number; i: number };
  /** Namespaces that could not be read at that time, and were read as they came. */
  notAtTime: string[];
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
  const { format, version, collections } = value as Partial<DumpManifest>;
  if (format !== 'holdfast-mongodb-dump' || version !== 1 || !Array.isArray(collections)) return false;
  return (collections as Partial<CollectionManifest>[]).every(
    ({ database, name, metadataFile, dataFile, content, info, indexes }) =>
      [database, name, metadataFile, info].every((text) => typeof text === 'string') &&
      ['string', 'undefined'].includes(typeof dataFile) &&
      (content === undefined || isSummary(content)) &&
      Array.isArray(indexes),
  );
}

function isSummary({ count, bytes, hash }: Partial<ContentSummary>): boolean {
  return Number.isSafeInteger(count) && Number.isSafeInteger(bytes) && /^[0-9a-f]{64}$/.test(String(hash));
}
