import type { FileAttributes } from '#base';
import {
  type Repository,
  restoreFiles,
  type SnapshotWriter,
  type StoredSnapshot,
  type TreeNode,
} from '#repository';
import type { Files } from './ledger.ts';

/** Writes files whose paths are in order. */
export async function writeFiles(
  writer: SnapshotWriter,
  files: Files,
  contents: readonly Uint8Array[],
): Promise<void> {
  let folder: string[] = [];
  for (const [path, number] of files) {
    const names = path.split('/');
    const name = names.pop()!;
    const shared = names.findIndex((part, i) => folder[i] !== part);
    const kept = shared < 0 ? names.length : shared;
    for (let depth = folder.length; depth > kept; depth--) writer.leaveFolder();
    for (const part of names.slice(kept)) await writer.enterFolder(Buffer.from(part), attributes('dir', 0));
    folder = names;
    const bytes = contents[number]!;
    await writer.addFile(Buffer.from(name), attributes('file', bytes.length, number), {
      open: () => inPieces(bytes),
    });
  }
  for (const _ of folder) writer.leaveFolder();
}

/** A file with the same number is the same: it is not read again when the parent has it. */
function attributes(type: 'file' | 'dir', sizeBytes: number, number = 0): FileAttributes {
  const timeNs = BigInt(number + 1) * 1_000_000_000n;
  return {
    type,
    mode: type === 'dir' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    mtimeNs: timeNs,
    atimeNs: timeNs,
    ctimeNs: timeNs,
    inode: BigInt(number + 1),
    deviceId: 0n,
    links: 1,
    sizeBytes,
  };
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const half = bytes.length >> 1;
  yield bytes.subarray(0, half);
  yield bytes.subarray(half);
}

/** A stored snapshot, and what it was made of. */
export interface Pair {
  snapshot: StoredSnapshot;
  files: Files;
}

/** Restores snapshots, all at once, and compares. @returns what differs, in words; rejects when something cannot be read */
export async function differences(
  repository: Repository,
  pairs: readonly Pair[],
  contents: readonly Uint8Array[],
): Promise<string[]> {
  const found: Map<string, TreeNode>[] = [];
  for (const { snapshot } of pairs) {
    const nodes = new Map<string, TreeNode>();
    await collectFiles(repository, { tree: snapshot.tree, path: '' }, nodes);
    found.push(nodes);
  }
  const restored = found.map(
    (nodes) => new Map<string, Uint8Array | undefined>([...nodes].map(([path]) => [path, undefined])),
  );
  const restoring = found.flatMap((nodes, i) =>
    [...nodes].map(([path, node]) => intoMemory(node, (bytes) => restored[i]!.set(path, bytes))),
  );
  await restoreFiles(repository, each(restoring));
  return pairs.flatMap(({ files }, i) => compare(restored[i]!, files, contents));
}

function intoMemory(node: TreeNode, done: (bytes: Uint8Array) => void) {
  const bytes = new Uint8Array(node.sizeBytes);
  const sink = {
    write: (offset: number, piece: Uint8Array) => bytes.set(piece, offset),
    finish: () => done(bytes),
    fail: (error: Error) => {
      throw error;
    },
  };
  return { node, sink };
}

function compare(
  restored: ReadonlyMap<string, Uint8Array | undefined>,
  files: Files,
  contents: readonly Uint8Array[],
): string[] {
  const wrong: string[] = [];
  for (const path of new Set([...restored.keys(), ...files.keys()])) {
    const number = files.get(path);
    const bytes = restored.get(path);
    if (number === undefined || !bytes) wrong.push(`${path} is ${bytes ? 'too many' : 'missing'}`);
    else if (Buffer.compare(bytes, contents[number]!) !== 0) wrong.push(`${path} has other bytes`);
  }
  return wrong;
}

async function collectFiles(
  repository: Repository,
  folder: { tree: StoredSnapshot['tree']; path: string },
  found: Map<string, TreeNode>,
): Promise<void> {
  for (const node of await repository.readTree(folder.tree)) {
    const path = `${folder.path}${Buffer.from(node.name).toString()}`;
    if (node.subtree) await collectFiles(repository, { tree: node.subtree, path: `${path}/` }, found);
    else found.set(path, node);
  }
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
