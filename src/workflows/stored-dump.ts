import { collect } from '#base';
import type { Repository, StoredSnapshot, TreeNode } from '#repository';
import {
  type DumpManifest,
  type OpenDumpFile,
  parseManifest,
  parseSliceManifest,
  type SliceManifest,
} from '#sources';
import { isSlice } from './oplog-line.ts';

/** A dump of MongoDB that lies in a snapshot. */
export interface StoredDump {
  manifest: DumpManifest;
  open: OpenDumpFile;
}

/** A slice of MongoDB's oplog that lies in a snapshot. */
export interface StoredSlice {
  manifest: SliceManifest;
  open: OpenDumpFile;
}

const manifestName = 'manifest.json';

/** The dump of a snapshot, or undefined when it has none. The caller holds a lock. @throws SourceError 'sources.damaged' */
export async function findDump(
  repository: Repository,
  snapshot: StoredSnapshot,
  signal?: AbortSignal,
): Promise<StoredDump | undefined> {
  if (isSlice(snapshot)) return undefined;
  const found = await findManifest(repository, snapshot, signal);
  return found && { manifest: parseManifest(found.text), open: found.open };
}

/** The same of a slice. @throws SourceError 'sources.damaged' */
export async function findSlice(
  repository: Repository,
  snapshot: StoredSnapshot,
  signal?: AbortSignal,
): Promise<StoredSlice | undefined> {
  if (!isSlice(snapshot)) return undefined;
  const found = await findManifest(repository, snapshot, signal);
  return found && { manifest: parseSliceManifest(found.text), open: found.open };
}

async function findManifest(
  repository: Repository,
  snapshot: StoredSnapshot,
  signal?: AbortSignal,
): Promise<{ text: string; open: OpenDumpFile } | undefined> {
  const folders = await repository.readTree(snapshot.tree, signal);
  const folder = folders.find(isDumpFolder);
  if (!folder) return undefined;
  const top = `/${Buffer.from(folder.name).toString()}`;
  const nodes = await repository.readTree(folder.subtree!, signal);
  const node = nodes.find(({ name }) => Buffer.from(name).toString() === manifestName);
  if (!node) return undefined;
  const text = Buffer.from(await collect(repository.readFile(node, signal))).toString();
  return {
    text,
    async *open(path) {
      const file = await repository.findNode(snapshot, `${top}/${path}`);
      yield* repository.readFile(file!, signal);
    },
  };
}

function isDumpFolder({ name, type, subtree }: TreeNode): boolean {
  return type === 'dir' && subtree !== undefined && Buffer.from(name).toString().startsWith('mongodb-');
}
