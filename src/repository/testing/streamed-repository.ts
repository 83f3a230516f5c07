import { systemRandom } from '#base';
import type { Storage } from '#storage';
import {
  streamAttributes,
  type WriteSnapshotOptions,
  type WrittenSnapshot,
  writeSnapshot,
} from '../backup/write-snapshot.ts';
import { type MemoryStorage, memoryStorage } from '../format/testing/memory-storage.ts';
import { initRepository, type OpenOptions, type Repository } from '../repository.ts';
import { openSmall, testOptions } from './small-repository.ts';

/** A new repository in memory, worked on by this thread. */
export async function smallRepository(
  options: Partial<OpenOptions> = {},
): Promise<{ repository: Repository; storage: MemoryStorage }> {
  const storage = memoryStorage();
  const repository = await initRepository({ ...testOptions(storage), ...options });
  return { repository, storage };
}

/** The same repository as another process sees it. */
export function reopen(storage: Storage, options: Partial<OpenOptions> = {}): Promise<Repository> {
  return openSmall(storage, options);
}

/** Writes a snapshot of streams: name → content, at once or piece by piece. */
export function writeStreams(
  repository: Repository,
  streams: Record<string, Uint8Array | string | (() => AsyncIterable<Uint8Array>)>,
  options: Partial<WriteSnapshotOptions> = {},
): Promise<WrittenSnapshot> {
  return writeSnapshot(repository, { paths: ['/streams'], ...options }, async (writer) => {
    for (const [name, content] of Object.entries(streams)) {
      const open = typeof content === 'function' ? content : () => piecesOf(content);
      await writer.addFile(Buffer.from(name), streamAttributes(0n), { open });
    }
  });
}

async function* piecesOf(content: Uint8Array | string): AsyncGenerator<Uint8Array> {
  yield typeof content === 'string' ? Buffer.from(content) : content;
}

/** Reads a file of a snapshot back. */
export async function readBack(
  repository: Repository,
  { snapshot }: WrittenSnapshot,
  path: string,
): Promise<Buffer> {
  const node = await repository.findNode(snapshot!, path);
  const pieces: Uint8Array[] = [];
  for await (const piece of repository.readFile(node!)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Bytes that neither compress nor repeat. */
export function noise(sizeBytes: number): Uint8Array {
  return systemRandom.fill(new Uint8Array(sizeBytes));
}
