import { SourceError } from '../../errors.ts';
import type { ServerFacts } from '../connection.ts';
import { isOplogRange, type OplogRange } from './oplog-range.ts';

/** What a slice is, beside it as `manifest.json`; docs/format/mongodb.md says more. Its first entry is the last of what came before. */
export interface SliceManifest extends OplogRange {
  format: 'holdfast-mongodb-oplog';
  version: 1;
  /** ISO 8601, by this machine's clock. */
  takenAt: string;
  server: ServerFacts;
}

function isSliceManifest(value: unknown): value is SliceManifest {
  const { format, version } = (value ?? {}) as Partial<SliceManifest>;
  return format === 'holdfast-mongodb-oplog' && version === 1 && isOplogRange(value);
}

/** @throws SourceError 'sources.damaged' when it is no manifest of a slice */
export function parseSliceManifest(text: string): SliceManifest {
  const manifest: unknown = JSON.parse(text);
  if (isSliceManifest(manifest)) return manifest;
  throw new SourceError(
    'sources.damaged',
    'the manifest of the slice is of another kind or a later version',
    {
      hint: 'Use the version of Holdfast that wrote it, or a later one.',
    },
  );
}
