import { type Clock, type FileAttributes, seededRandom, systemClock } from '#base';
import type { Storage } from '#storage';
import type { SnapshotWriter } from '../backup/snapshot-writer.ts';
import { type WriteSnapshotOptions, writeSnapshot } from '../backup/write-snapshot.ts';
import { inlineExecutor } from '../executor/executor.ts';
import type { LockOwner } from '../lock/owner.ts';
import { initRepository, type OpenOptions, openRepository, type Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import type { TreeNode } from '../snapshot/tree.ts';

/** Files of a snapshot by path (`folder/file`). */
export type Files = Record<string, Uint8Array | string>;

/** Cheap to derive: tests try many passwords. */
export const testKdf = { N: 1024, r: 8, p: 1 };

/** Real time, but sleeps take a hundredth, so that taking a lock costs a test nothing. */
export const hastyClock: Clock = {
  ...systemClock,
  sleep: (durationMs, options) => systemClock.sleep(durationMs / 100, options),
};

const testOwner: LockOwner = {
  hostname: 'host',
  username: 'anna',
  uid: 0,
  gid: 0,
  pid: 1,
  isProcessAlive: () => true,
};

/** What makes a repository quick and repeatable: one thread, seeded random, hasty clock. */
export function testOptions(storage: Storage, options: Partial<OpenOptions> & { seed?: number } = {}) {
  const { seed = 1, ...others } = options;
  const random = seededRandom(seed);
  const executor = inlineExecutor(random);
  return {
    storage,
    password: 'secret',
    kdf: testKdf,
    random,
    executor,
    clock: hastyClock,
    owner: testOwner,
    ...others,
  };
}

export function initSmall(storage: Storage, options: Partial<OpenOptions> & { seed?: number } = {}) {
  return initRepository(testOptions(storage, options));
}

export function openSmall(storage: Storage, options: Partial<OpenOptions> & { seed?: number } = {}) {
  return openRepository(testOptions(storage, { seed: 2, ...options }));
}

/** Writes a snapshot of these files. */
export async function snapshotOf(
  repository: Repository,
  files: Files,
  options: Partial<WriteSnapshotOptions> = {},
): Promise<StoredSnapshot> {
  const root = nest(files);
  const timeNs = options.timeNs ?? 1_700_000_000_000_000_000n;
  const { snapshot } = await writeSnapshot(repository, { paths: ['/'], timeNs, ...options }, (writer) =>
    writeFolder(writer, root),
  );
  return snapshot!;
}

interface Folder {
  [name: string]: Folder | Uint8Array;
}

function nest(files: Files): Folder {
  const root: Folder = {};
  for (const [path, content] of Object.entries(files)) {
    const names = path.split('/');
    const last = names.pop()!;
    let folder = root;
    for (const name of names) {
      folder[name] ??= {};
      folder = folder[name] as Folder;
    }
    folder[last] = Buffer.from(content);
  }
  return root;
}

async function writeFolder(writer: SnapshotWriter, folder: Folder): Promise<void> {
  for (const [name, entry] of Object.entries(folder)) {
    if (entry instanceof Uint8Array) {
      await writer.addFile(Buffer.from(name), attributes('file', entry.length), { open: () => once(entry) });
      continue;
    }
    await writer.enterFolder(Buffer.from(name), attributes('dir', 0));
    await writeFolder(writer, entry);
    writer.leaveFolder();
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function attributes(type: 'file' | 'dir', sizeBytes: number): FileAttributes {
  const times = { mtimeNs: 1n, atimeNs: 1n, ctimeNs: 1n };
  const owner = { uid: 0, gid: 0, user: '', group: '' };
  const identity = { inode: 0n, deviceId: 0n, links: type === 'dir' ? 0 : 1 };
  return { type, mode: type === 'dir' ? 0o755 : 0o644, ...times, ...owner, ...identity, sizeBytes };
}

/** Content of every file of a snapshot by path; a file or folder that cannot be read has its error instead. */
export async function filesOf(
  repository: Repository,
  snapshot: StoredSnapshot,
): Promise<Record<string, string | Error>> {
  const found: Record<string, string | Error> = {};
  const visit = async (nodes: TreeNode[], path: string): Promise<void> => {
    for (const node of nodes) {
      const at = `${path}${Buffer.from(node.name).toString()}`;
      try {
        if (node.subtree) await visit(await repository.readTree(node.subtree), `${at}/`);
        else found[at] = await textOf(repository, node);
      } catch (error) {
        found[at] = error as Error;
      }
    }
  };
  await visit(await repository.readTree(snapshot.tree), '');
  return found;
}

async function textOf(repository: Repository, node: TreeNode): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of repository.readFile(node)) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
}
