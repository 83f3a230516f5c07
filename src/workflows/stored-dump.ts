import { collect } from '#base';
import type { Repository, StoredSnapshot, TreeNode } from '#repository';
import { type DumpManifest, type OpenDumpFile, parseManifest } from '#sources';

/** A dump of MongoDB that lies in a snapshot. */
export interface StoredDump {
  manifest: DumpManifest;
  open: OpenDumpFile;
}

const manifestName = 'manifest.json';

/** The dump of a snapshot, or undefined when it has none. The caller holds a lock. @throws SourceError 'sources.damaged' */
export async function findDump(
  repository: Repository,
  snapshot: StoredSnapshot,
  signal?: AbortSignal,
): Promise<StoredDump | undefined> {
  const folders = await repository.readTree(snapshot.tree, signal);
  const folder = folders.find(isDumpFolder);
  if (!folder) return undefined;
  const top = `/${Buffer.from(folder.name).toString()}`;
  const nodes = await repository.readTree(folder.subtree!, signal);
  const node = nodes.find(({ name }) => Buffer.from(name).toString() === manifestName);
  if (!node) return undefined;
  const text = Buffer.from(await collect(repository.readFile(node, signal))).toString();
  return {
    manifest: parseManifest(text),
    async *open(path) {
      const file = await repository.findNode(snapshot, `${top}/${path}`);
      yield* repository.readFile(file!, signal);
    },
  };
}

function isDumpFolder({ name, type, subtree }: TreeNode): boolean {
  return type === 'dir' && subtree !== undefined && Buffer.from(name).toString().startsWith('mongodb-');
}
