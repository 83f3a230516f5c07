import { type Clock, printableOf, type Random, systemClock, systemRandom } from '#base';
import { openStorage, type Storage } from '#storage';

import type { WriteContext } from './backup/write-session.ts';
import { RepositoryError } from './errors.ts';
import { type Executor, threadExecutor } from './executor/executor.ts';
import type { BlobId, IndexId, KeyId } from './format/ids.ts';
import { randomMasterKey } from './format/sealed.ts';
import { type LoadedIndex, loadIndex } from './index/load-index.ts';
import type { RepositoryIndex } from './index/repository-index.ts';
import { loadConfig, newConfig, type RepositoryConfig, saveConfig } from './keys/config.ts';
import type { KdfParameters } from './keys/kdf.ts';
import { type OpenedKey, openWithPassword, storeKey } from './keys/keys.ts';
import { acquireLock, type RepositoryLock } from './lock/lock.ts';
import { type LockOwner, systemOwner } from './lock/owner.ts';
import { BlobReader } from './read/blob-reader.ts';
import { contentAhead, loadAhead } from './read/load-ahead.ts';
import { findSnapshot, type SnapshotFilter } from './snapshot/find-snapshot.ts';
import { type LoadOptions, loadSnapshots } from './snapshot/load-snapshots.ts';
import type { StoredSnapshot } from './snapshot/snapshot.ts';
import type { TreeNode } from './snapshot/tree.ts';
import { decodeTree } from './snapshot/tree-decode.ts';
import { UnpackedFiles } from './unpacked.ts';

export interface OpenOptions {
  /** A location such as `/srv/backup` or `s3:https://host/bucket`, or a storage (which stays the caller's to close). */
  storage: string | Storage;
  password: string;
  /** Beginning of the id of the key to try first. */
  keyHint?: string;
  /** Who does the work on blobs: worker threads by default. */
  executor?: Executor;
  clock?: Clock;
  random?: Random;
  /** Who stands in our locks; a stable and unique host name matters in containers. */
  owner?: LockOwner;
  /** Read without locks, for a storage that cannot be written. */
  withoutLock?: boolean;
  /** How long to wait for somebody else's lock. */
  retryLockMs?: number;
  signal?: AbortSignal;
}

export interface InitOptions extends OpenOptions {
  /** Cost of guessing the password; by default half a second of this machine. */
  kdf?: KdfParameters;
  /** Of another repository, so that copies between the two deduplicate. */
  chunkerPolynomial?: bigint;
}

export interface LockRequest {
  exclusive: boolean;
  signal?: AbortSignal | undefined;
  onWait?: (conflict: RepositoryError) => void;
}

/** An opened repository. What is done with it (backup, restore, check …) are functions that take one. */
export class Repository {
  readonly storage: Storage;
  readonly config: RepositoryConfig;
  readonly unpacked: UnpackedFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly executor: Executor;
  readonly owner: LockOwner;
  readonly #options: OpenOptions;
  #key: OpenedKey;
  #index: Promise<RepositoryIndex> | undefined;
  /** The index files that `#index` was made of, our own new ones included. */
  #indexFiles = new Set<IndexId>();
  /** Others may have written since the index files were listed. */
  #isIndexDue = true;
  #reader: BlobReader | undefined;

  constructor(options: OpenOptions, parts: { storage: Storage; config: RepositoryConfig; key: OpenedKey }) {
    this.#options = options;
    this.storage = parts.storage;
    this.config = parts.config;
    this.#key = parts.key;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? systemRandom;
    this.executor = options.executor ?? threadExecutor();
    this.owner = options.owner ?? systemOwner();
    this.unpacked = new UnpackedFiles({
      storage: parts.storage,
      key: parts.key.key,
      random: this.random,
      version: parts.config.version,
    });
  }

  /** Names the repository wherever it is moved. */
  get id(): string {
    return this.config.id;
  }

  get key(): OpenedKey {
    return this.#key;
  }

  /** Says that from now on another key file is the one in use; the master key is the same. */
  useKeyFile(id: KeyId): void {
    this.#key = { ...this.#key, id };
  }

  /** All snapshots, oldest first. */
  snapshots(options?: LoadOptions): Promise<StoredSnapshot[]> {
    return loadSnapshots(this.unpacked, options);
  }

  /** One snapshot by id, beginning of an id, or `latest` (narrowed by the filter). */
  async findSnapshot(text: string, filter?: SnapshotFilter): Promise<StoredSnapshot> {
    return findSnapshot(await this.snapshots(), text, filter);
  }

  /**
   * What all index files say, kept up to date by our own writes. Read once, and again when the first call under a
   * new lock finds that others have written. List snapshots before.
   */
  index(): Promise<RepositoryIndex> {
    if (this.#index && !this.#isIndexDue) return this.#index;
    this.#isIndexDue = false;
    const index = this.#currentIndex(this.#index);
    this.#index = index;
    // A failed load may be tried again.
    index.catch(() => {
      if (this.#index === index) this.forgetIndex();
    });
    return index;
  }

  async #currentIndex(loaded: Promise<RepositoryIndex> | undefined): Promise<RepositoryIndex> {
    if (loaded && (await this.#areIndexFilesKnown())) return loaded;
    const { index, files } = await loadIndex(this.unpacked);
    this.#indexFiles = new Set(files);
    this.#reader = undefined;
    return index;
  }

  async #areIndexFilesKnown(): Promise<boolean> {
    let count = 0;
    for await (const { id } of this.unpacked.list('index')) {
      if (!this.#indexFiles.has(id)) return false;
      count++;
    }
    return count === this.#indexFiles.size;
  }

  /** Takes an index that was read elsewhere (by a check, which tolerates damage). */
  useIndex({ index, files }: LoadedIndex): void {
    this.#index = Promise.resolve(index);
    this.#indexFiles = new Set(files);
    this.#isIndexDue = false;
    this.#reader = undefined;
  }

  /** Makes the next use read the index files again: after a failed write, or when others may have written. */
  forgetIndex(): void {
    this.#index = undefined;
    this.#isIndexDue = true;
    this.#reader = undefined;
  }

  async blobReader(): Promise<BlobReader> {
    const index = await this.index();
    this.#reader ??= new BlobReader(this.storage, index, this.key.key);
    return this.#reader;
  }

  /** The entries of a folder, in order of their names' bytes. */
  async readTree(id: BlobId, signal?: AbortSignal): Promise<TreeNode[]> {
    const reader = await this.blobReader();
    return decodeTree(await reader.read('tree', id, signal)).nodes;
  }

  /** The entry at a path of a snapshot (`/a/b`), or undefined for the root itself; see `findEntry`. */
  async findNode(snapshot: StoredSnapshot, path: string): Promise<TreeNode | undefined> {
    return (await this.findEntry(snapshot, path))?.node;
  }

  /**
   * The entry at a path of a snapshot (`/a/b`) with its names as bytes, or undefined for the root itself. A name
   * that is not UTF-8 is found by what is shown of it (`\xNN`).
   * @throws RepositoryError 'repository.path-not-found'
   */
  async findEntry(
    snapshot: StoredSnapshot,
    path: string,
    signal?: AbortSignal,
  ): Promise<{ names: Uint8Array[]; node: TreeNode } | undefined> {
    let node: TreeNode | undefined;
    let tree: BlobId | undefined = snapshot.tree;
    const names: Uint8Array[] = [];
    for (const name of path.split('/').filter((part) => part !== '' && part !== '.')) {
      const nodes: TreeNode[] = tree ? await this.readTree(tree, signal) : [];
      const wanted = Buffer.from(name);
      node =
        nodes.find((one) => wanted.equals(one.name)) ?? nodes.find((one) => printableOf(one.name) === name);
      if (!node) throw pathNotFound(snapshot, path);
      names.push(node.name);
      tree = node.subtree;
    }
    return node && { names, node };
  }

  /** The content of a file in order, each blob checked against its id; a few are read ahead. */
  async *readFile(node: TreeNode, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const reader = await this.blobReader();
    yield* loadAhead(
      node.content ?? [],
      (id) => ({ sizeBytes: reader.sizeOf('data', id), loaded: reader.read('data', id, signal) }),
      contentAhead,
    );
  }

  /** Takes a lock as restic does. @throws RepositoryError 'repository.locked' */
  async lock(request: LockRequest): Promise<RepositoryLock> {
    const signal = request.signal ?? this.#options.signal;
    this.#isIndexDue = true;
    if (this.#options.withoutLock && !request.exclusive) return noLock(signal);
    const { retryLockMs } = this.#options;
    return acquireLock(this.unpacked, {
      exclusive: request.exclusive,
      clock: this.clock,
      owner: this.owner,
      ...(retryLockMs === undefined ? {} : { retryForMs: retryLockMs }),
      ...(signal ? { signal } : {}),
      ...(request.onWait ? { onWait: request.onWait } : {}),
    });
  }

  async writeContext(): Promise<WriteContext> {
    if (this.config.version === 1) {
      throw new RepositoryError('repository.version', 'a repository of version 1 can be read, not written', {
        hint: 'Upgrade it with `restic migrate upgrade_repo_v2`, then try again.',
      });
    }
    const { storage, unpacked, executor, clock, random } = this;
    const polynomial = this.config.chunkerPolynomial;
    return {
      storage,
      key: this.key.key,
      polynomial,
      unpacked,
      index: await this.index(),
      executor,
      clock,
      random,
      onIndexSaved: (id) => this.#indexFiles.add(id),
    };
  }

  /** Ends connections that `openRepository` made itself. */
  async close(): Promise<void> {
    if (typeof this.#options.storage === 'string') await this.storage.close();
  }
}

/**
 * Opens a repository that exists.
 * @throws RepositoryError 'repository.absent', 'repository.wrong-password', 'repository.damaged', 'repository.version'
 */
export async function openRepository(options: OpenOptions): Promise<Repository> {
  const storage = await storageOf(options);
  try {
    const hint = options.keyHint === undefined ? {} : { hint: options.keyHint };
    const key = await openWithPassword(storage, options.password, hint);
    return new Repository(options, { storage, key, config: await loadConfig(storage, key.key) });
  } catch (error) {
    if (typeof options.storage === 'string') await storage.close();
    throw error;
  }
}

/**
 * Makes a repository where none is. The config comes last: what has one is complete.
 * @throws RepositoryError 'repository.exists'
 */
export async function initRepository(options: InitOptions): Promise<Repository> {
  const storage = await storageOf(options);
  try {
    await refuseExisting(storage);
    const random = options.random ?? systemRandom;
    const owner = options.owner ?? systemOwner();
    const key = randomMasterKey(random);
    const config = newConfig(random, options.chunkerPolynomial);
    const id = await storeKey(storage, key, {
      password: options.password,
      username: owner.username,
      hostname: owner.hostname,
      clock: options.clock ?? systemClock,
      random,
      ...(options.kdf ? { kdf: options.kdf } : {}),
    });
    await saveConfig(storage, key, config, random);
    return new Repository(options, { storage, config, key: { id, key } });
  } catch (error) {
    if (typeof options.storage === 'string') await storage.close();
    throw error;
  }
}

async function storageOf(options: OpenOptions): Promise<Storage> {
  return typeof options.storage === 'string' ? openStorage(options.storage) : options.storage;
}

async function refuseExisting(storage: Storage): Promise<void> {
  const found = (await storage.stat('config')) ? 'config' : await firstOf(storage, ['keys/', 'snapshots/']);
  if (!found) return;
  throw new RepositoryError(
    'repository.exists',
    `there is a repository at ${storage.location} already (${found})`,
    {
      hint: 'Use it as it is, or choose another location. A repository is never overwritten.',
    },
  );
}

async function firstOf(storage: Storage, prefixes: string[]): Promise<string | undefined> {
  for (const prefix of prefixes) for await (const { name } of storage.list(prefix)) return name;
  return undefined;
}

function noLock(signal: AbortSignal | undefined): RepositoryLock {
  const release = async (): Promise<void> => {};
  return { signal: signal ?? new AbortController().signal, release, [Symbol.asyncDispose]: release };
}

function pathNotFound(snapshot: StoredSnapshot, path: string): RepositoryError {
  const id = snapshot.id.slice(0, 8);
  return new RepositoryError('repository.path-not-found', `snapshot ${id} has no ${path}`, {
    hint: `List what is there with \`holdfast ls ${id}\`.`,
  });
}
