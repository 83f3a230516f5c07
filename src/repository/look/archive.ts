import { RepositoryError } from '../errors.ts';
import type { BlobId } from '../format/ids.ts';
import type { BlobReader } from '../read/blob-reader.ts';
import { contentAhead, loadAhead } from '../read/load-ahead.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import type { TreeNode } from '../snapshot/tree.ts';
import type { ArchiveEntry, ArchivePart } from './archive-part.ts';
import { tarArchive } from './tar-archive.ts';
import { type WalkEntry, walkSnapshot } from './walk-snapshot.ts';
import { zipArchive } from './zip-archive.ts';

export interface ArchiveOptions {
  format: 'tar' | 'zip';
  /** Told of what the format cannot hold: sockets; in a zip, FIFOs and devices too. */
  onLeftOut?: (path: string) => void;
  signal?: AbortSignal | undefined;
}

interface ArchiveRequest extends ArchiveOptions {
  repository: Repository;
  snapshot: StoredSnapshot;
  path: string;
}

/**
 * What is at and below a path of a snapshot as an archive; names begin at the snapshot's root, as in restic's.
 * A zip has no hard links, extended attributes or parts of a second.
 * @throws in the middle of the stream when a part cannot be read: what came before is no archive and must be dropped
 */
export function archiveOf(
  repository: Repository,
  snapshot: StoredSnapshot,
  path: string,
  options: ArchiveOptions,
): AsyncGenerator<Uint8Array> {
  const parts = archiveParts({ repository, snapshot, path, ...options });
  const leaveOut = options.onLeftOut ?? (() => {});
  return options.format === 'tar' ? tarArchive(parts, leaveOut) : zipArchive(parts, leaveOut);
}

/** Content is read ahead across files, so that many small ones don't cost the latency of each. */
async function* archiveParts(request: ArchiveRequest): AsyncGenerator<ArchivePart> {
  const reader = await request.repository.blobReader();
  yield* loadAhead<ArchiveEntry | BlobId, ArchivePart>(
    archiveItems(request, reader),
    (item) =>
      typeof item === 'string'
        ? { sizeBytes: reader.sizeOf('data', item), loaded: reader.read('data', item, request.signal) }
        : { sizeBytes: 0, loaded: item },
    contentAhead,
  );
}

/** Each entry, followed by the ids of its blobs. */
async function* archiveItems(
  { repository, snapshot, path, format, signal }: ArchiveRequest,
  reader: BlobReader,
): AsyncGenerator<ArchiveEntry | BlobId> {
  const start = await repository.findEntry(snapshot, path, signal);
  if (start?.node.type === 'dir') yield { path, node: start.node, name: joined(start.names) };
  const firstNames = new Map<string, Uint8Array>();
  for await (const entry of walkSnapshot(repository, snapshot, { path, signal })) {
    const name = joined(entry.names);
    const linkTo = format === 'tar' ? firstNameOf(entry.node, name, firstNames) : undefined;
    yield { path: entry.path, node: entry.node, name, ...(linkTo && { linkTo }) };
    if (entry.node.type === 'file' && !linkTo) yield* soundContent(entry, reader);
  }
}

/** The name under which a file with several names was met first, or undefined when this is the first. */
function firstNameOf(
  { type, links, inode, deviceId }: TreeNode,
  name: Uint8Array,
  firstNames: Map<string, Uint8Array>,
): Uint8Array | undefined {
  if (type !== 'file' || links < 2 || inode === 0n) return undefined;
  const key = `${deviceId}:${inode}`;
  const first = firstNames.get(key);
  if (!first) firstNames.set(key, name);
  return first;
}

/** A header says the size before the bytes come, so the parts must add up. */
function soundContent({ path, node }: WalkEntry, reader: BlobReader): readonly BlobId[] {
  const content = node.content ?? [];
  const sizeBytes = content.reduce((sum, id) => sum + reader.sizeOf('data', id), 0);
  if (node.content && sizeBytes === node.sizeBytes) return content;
  const message = `cannot read ${path}: it has ${node.sizeBytes} bytes, its parts have ${sizeBytes}`;
  throw new RepositoryError('repository.damaged', message, {
    hint: 'Run `holdfast check` to see what is missing.',
  });
}

function joined(names: readonly Uint8Array[]): Uint8Array {
  const slash = Buffer.from('/');
  return Buffer.concat(names.flatMap((name, i) => (i === 0 ? [name] : [slash, name])));
}
