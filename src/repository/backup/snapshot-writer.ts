import assert from 'node:assert/strict';
import { type Clock, type FileAttributes, systemCodeOf } from '#base';
import { chunkSizeMin } from '../chunker/chunker.ts';
import type { FileOutcome } from '../executor/lane.ts';
import type { BlobId } from '../format/ids.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { isLoss } from '../loss.ts';
import { nodeOf, type Tree, type TreeNode } from '../snapshot/tree.ts';
import type { ChunkStream, StoredContent } from './chunk-stream.ts';
import {
  ContentError,
  type FileContent,
  type ReadOptions,
  readLocalFile,
  readPieces,
  type StreamContent,
} from './content-reader.ts';
import { SmallFiles } from './small-files.ts';
import { storeBlob } from './store-blob.ts';
import {
  type FinishedFolder,
  type FolderBefore,
  keyOf,
  type OpenFolder,
  TreeBuilder,
} from './tree-builder.ts';
import type { WriteSession } from './write-session.ts';

/** A file that did not come into the snapshot ('lost'), or came in otherwise than one would wish ('odd'). */
export interface FileProblem {
  path: string;
  error: Error;
  gravity: 'lost' | 'odd';
}

/** Counters that grow while a snapshot is written. */
export interface WriteProgress {
  filesNew: number;
  filesChanged: number;
  filesUnmodified: number;
  dirsNew: number;
  dirsChanged: number;
  dirsUnmodified: number;
  /** Plain bytes of all files that are finished or under way. */
  bytesProcessed: number;
}

export interface SnapshotWriterOptions {
  session: WriteSession;
  index: RepositoryIndex;
  clock: Clock;
  /** Root tree of the parent snapshot; files that it shows with the same size, times and inode are not read again. */
  parentTree?: BlobId | undefined;
  readTree(id: BlobId): Promise<Tree>;
  onProblem(problem: FileProblem): void;
  /** Keep times of last access (restic's `--with-atime`). */
  withAccessTime?: boolean | undefined;
  /** Ignore the inode or the change time when looking for changes (restic's `--ignore-inode`, `--ignore-ctime`). */
  ignoreInode?: boolean | undefined;
  ignoreCtime?: boolean | undefined;
  /** Streams of the source that may be open at once. */
  streamConcurrency?: number | undefined;
  signal: AbortSignal;
}

interface FilePlace {
  folder: OpenFolder;
  name: Uint8Array;
  attributes: FileAttributes;
  isNew: boolean;
}

/** Large local files that are read at once: one is read while the other's last chunks are stored. */
const readersMax = 2;

/**
 * Writes the tree of one snapshot, entry by entry: `enterFolder`, `addNode` and `addFile` below it,
 * `leaveFolder`. The calls return when there is room for more; `finish` waits for everything.
 */
export class SnapshotWriter {
  readonly progress: WriteProgress = {
    filesNew: 0,
    filesChanged: 0,
    filesUnmodified: 0,
    dirsNew: 0,
    dirsChanged: 0,
    dirsUnmodified: 0,
    bytesProcessed: 0,
  };
  readonly #options: SnapshotWriterOptions;
  readonly #trees: TreeBuilder;
  readonly #smallFiles: SmallFiles;
  readonly #streams = new Set<Promise<void>>();
  readonly #abandoned = new AbortController();
  readonly #signal: AbortSignal;
  #folder: OpenFolder;
  #failure: unknown;

  private constructor(options: SnapshotWriterOptions, before: FolderBefore | undefined) {
    const { session } = options;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#abandoned.signal]);
    this.#smallFiles = new SmallFiles(session.pool);
    this.#trees = new TreeBuilder({
      index: options.index,
      before,
      storeTree: (json, id) => storeBlob(session, 'tree', json, id),
      onFinished: (finished) => this.#countFolder(finished),
    });
    this.#folder = this.#trees.root;
  }

  static async begin(options: SnapshotWriterOptions): Promise<SnapshotWriter> {
    return new SnapshotWriter(options, await loadBefore(options, options.parentTree, () => '/'));
  }

  async enterFolder(name: Uint8Array, attributes: FileAttributes): Promise<void> {
    this.#throwFailure();
    const node = this.#folder.before?.nodes.get(keyOf(name));
    const beforeId = node?.type === 'dir' ? node.subtree : undefined;
    const before = await loadBefore(this.#options, beforeId, () => pathOf({ folder: this.#folder, name }));
    this.#folder = this.#trees.enter(this.#folder, name, attributes, before);
  }

  leaveFolder(): void {
    const folder = this.#folder;
    assert(folder.parent, 'more folders were left than entered');
    this.#folder = folder.parent;
    this.#trees.leave(folder);
  }

  /** A symlink, device, FIFO: an entry without content. */
  addNode(name: Uint8Array, attributes: FileAttributes): void {
    this.#trees.expect(this.#folder);
    this.#trees.add(this.#folder, this.#node(name, attributes, undefined));
  }

  async addFile(name: Uint8Array, attributes: FileAttributes, content: FileContent): Promise<void> {
    this.#throwFailure();
    const folder = this.#folder;
    this.#trees.expect(folder);
    const before = folder.before?.nodes.get(keyOf(name));
    const unchanged = before && this.#unchanged(before, attributes, content);
    if (unchanged) {
      this.progress.filesUnmodified++;
      this.progress.bytesProcessed += attributes.sizeBytes;
      this.#trees.add(folder, this.#node(name, unchanged, before.content!));
      return;
    }
    const place = { folder, name, attributes, isNew: before?.type !== 'file' };
    if ('open' in content) {
      await this.#addStream(place, this.#options.streamConcurrency ?? 1, (stream) =>
        this.#readPieces(stream, place, content),
      );
    } else if (attributes.sizeBytes < chunkSizeMin) {
      await this.#addSmall(place, content.localPath);
    } else {
      await this.#addStream(place, readersMax, (stream) => this.#readLocal(stream, place, content.localPath));
    }
  }

  /** Waits for all content and all trees; the root tree is stored, not yet durable. */
  async finish(): Promise<BlobId> {
    await this.#smallFiles.drain();
    while (this.#streams.size > 0) await Promise.all(this.#streams);
    this.#throwFailure();
    assert(this.#folder === this.#trees.root, 'a folder was entered and not left');
    return this.#trees.finishRoot();
  }

  /** Gives up: no source is read any more once it has resolved, but for one that hangs. */
  async abandon(reason: unknown): Promise<void> {
    this.#abandoned.abort(reason);
    this.#options.session.pool.fail(reason);
    await this.#smallFiles.drain().catch(() => {});
    while (this.#streams.size > 0) await Promise.all(this.#streams);
  }

  /** The attributes of a file whose content is the parent's, or undefined when it must be read. */
  #unchanged(before: TreeNode, now: FileAttributes, content: FileContent): FileAttributes | undefined {
    if (before.type !== 'file' || before.content === null || before.sizeBytes !== now.sizeBytes) return;
    if (!before.content.every((id) => this.#options.index.has('data', id))) return;
    if ('open' in content && content.recognize) return content.recognize(before);
    return this.#looksSame(before, now) ? now : undefined;
  }

  #looksSame(before: TreeNode, now: FileAttributes): boolean {
    const { ignoreInode, ignoreCtime } = this.#options;
    return (
      // Streams without an inode have nothing that tells whether they changed.
      now.inode !== 0n &&
      before.mtimeNs === now.mtimeNs &&
      (ignoreCtime === true || before.ctimeNs === now.ctimeNs) &&
      (ignoreInode === true || before.inode === now.inode)
    );
  }

  async #addSmall(place: FilePlace, localPath: Uint8Array): Promise<void> {
    await this.#smallFiles.add({
      localPath,
      sizeBytes: place.attributes.sizeBytes,
      done: (outcome, id) => this.#smallDone(place, localPath, outcome, id),
    });
  }

  #smallDone(place: FilePlace, localPath: Uint8Array, outcome: FileOutcome, id: string): void {
    if ('sizeBytes' in outcome) {
      const { sizeBytes } = outcome;
      if (sizeBytes !== place.attributes.sizeBytes) this.#reportChange(place);
      this.progress.bytesProcessed += sizeBytes;
      this.#addStored(place, { ids: sizeBytes > 0 ? [id as BlobId] : [], sizeBytes });
    } else if ('grown' in outcome) {
      this.#startStream(place, (stream) => this.#readLocal(stream, place, localPath));
    } else {
      this.#lose(place, Object.assign(new Error(outcome.message), { code: outcome.code }));
    }
  }

  async #addStream(
    place: FilePlace,
    atOnce: number,
    read: (stream: ChunkStream) => Promise<void>,
  ): Promise<void> {
    this.#startStream(place, read);
    while (this.#streams.size >= atOnce) await Promise.race(this.#streams);
    this.#throwFailure();
  }

  #startStream(place: FilePlace, read: (stream: ChunkStream) => Promise<void>): void {
    const run = this.#storeStream(place, read)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#streams.delete(run));
    this.#streams.add(run);
  }

  async #storeStream(place: FilePlace, read: (stream: ChunkStream) => Promise<void>): Promise<void> {
    const stream = this.#options.session.openStream();
    let stored: StoredContent;
    try {
      await read(stream);
      stored = await stream.end();
    } catch (error) {
      stream.abandon();
      if (!(error instanceof ContentError)) throw error;
      this.#lose(place, error.cause);
      return;
    }
    this.#addStored(place, stored);
  }

  async #readLocal(stream: ChunkStream, place: FilePlace, localPath: Uint8Array): Promise<void> {
    const isSame = await readLocalFile(stream, localPath, place.attributes, this.#readOptions());
    if (!isSame) this.#reportChange(place);
  }

  async #readPieces(stream: ChunkStream, place: FilePlace, content: StreamContent): Promise<void> {
    try {
      await readPieces(stream, content.open(this.#signal), this.#readOptions());
    } catch (error) {
      throw content.isVital && error instanceof ContentError ? error.cause : error;
    }
    const described = content.describe?.();
    if (!described) return;
    place.attributes = described.attributes;
    for (const error of described.oddities)
      this.#options.onProblem({ path: pathOf(place), error, gravity: 'odd' });
  }

  #readOptions(): ReadOptions {
    return {
      clock: this.#options.clock,
      signal: this.#signal,
      memory: this.#options.session.pool.memory.buffer,
      onBytes: (count) => {
        this.progress.bytesProcessed += count;
      },
    };
  }

  #addStored(place: FilePlace, stored: StoredContent): void {
    if (place.isNew) this.progress.filesNew++;
    else this.progress.filesChanged++;
    const attributes = { ...place.attributes, sizeBytes: stored.sizeBytes };
    this.#trees.add(place.folder, this.#node(place.name, attributes, stored.ids));
  }

  #node(name: Uint8Array, attributes: FileAttributes, content: BlobId[] | undefined): TreeNode {
    const withAccessTime = this.#options.withAccessTime ?? false;
    return nodeOf(name, attributes, content ? { content, withAccessTime } : { withAccessTime });
  }

  #lose(place: FilePlace, error: Error): void {
    const gravity = systemCodeOf(error) === 'ENOENT' ? 'odd' : 'lost';
    this.#options.onProblem({ path: pathOf(place), error, gravity });
    this.#trees.drop(place.folder);
  }

  #reportChange(place: FilePlace): void {
    const error = new Error('the file changed while it was read; the snapshot has it as it was read');
    this.#options.onProblem({ path: pathOf(place), error, gravity: 'odd' });
  }

  #countFolder({ folder, id }: FinishedFolder): void {
    if (!folder.parent) return;
    if (folder.before === undefined) this.progress.dirsNew++;
    else if (folder.before.id === id) this.progress.dirsUnmodified++;
    else this.progress.dirsChanged++;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** A folder of the parent that is damaged counts as absent: its files are read again, which is how they are mended. */
async function loadBefore(
  options: SnapshotWriterOptions,
  id: BlobId | undefined,
  pathOfFolder: () => string,
): Promise<FolderBefore | undefined> {
  if (id === undefined) return undefined;
  let tree: Tree;
  try {
    tree = await options.readTree(id);
  } catch (error) {
    if (!isLoss(error)) throw error;
    options.onProblem({ path: pathOfFolder(), error, gravity: 'odd' });
    return undefined;
  }
  const nodes = new Map(tree.nodes.map((node) => [keyOf(node.name), node]));
  return { id, nodes, isWhole: tree.unknown.length === 0 && nodes.size === tree.nodes.length };
}

/** For people: bytes that are not UTF-8 show as U+FFFD. */
function pathOf(place: Pick<FilePlace, 'folder' | 'name'>): string {
  const names = [Buffer.from(place.name).toString()];
  for (let folder: OpenFolder | undefined = place.folder; folder?.parent; folder = folder.parent) {
    names.unshift(Buffer.from(folder.name).toString());
  }
  return `/${names.join('/')}`;
}
