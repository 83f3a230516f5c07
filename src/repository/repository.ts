import { type Clock, messageOf, printableOf, type Random, systemClock, systemRandom } from '#base';
import { openStorage, type Storage, StorageError } from '#storage';

import type { WriteContext } from './backup/write-session.ts';
import { RepositoryCache } from './cache/repository-cache.ts';
import { CurrentIndex, type DamagedIndexFile } from './current-index.ts';
import { RepositoryError } from './errors.ts';
import { type Executor, threadExecutor } from './executor/executor.ts';
import type { BlobId, KeyId, SnapshotId } from './format/ids.ts';
import { randomMasterKey } from './format/sealed.ts';
import type { RepositoryIndex } from './index/repository-index.ts';
import { loadConfig, newConfig, type RepositoryConfig, saveConfig } from './keys/config.ts';
import type { KdfParameters } from './keys/kdf.ts';
import { type OpenedKey, openWithPassword, storeKey } from './keys/keys.ts';
import { acquireLock, type RepositoryLock } from './lock/lock.ts';
import { type LockOwner, systemOwner } from './lock/owner.ts';
import type { BlobReader } from './read/blob-reader.ts';
import { contentAhead, loadAhead } from './read/load-ahead.ts';
import { findSnapshot, type SnapshotFilter } from './snapshot/find-snapshot.ts';
import { type LoadOptions, loadSnapshots } from './snapshot/load-snapshots.ts';
import type { StoredSnapshot } from './snapshot/snapshot.ts';
import type { Tree, TreeNode } from './snapshot/tree.ts';
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
  /** Read without locks, for a storage that cannot be written. Whatever writes is refused then. */
  withoutLock?: boolean;
  /**
   * Keeps what index and snapshot files say, encrypted, for a quicker start: a folder of this machine, which may serve
   * many repositories. It stays the caller's to close.
   */
  cache?: Storage;
  /** Told once when the cache cannot be used, as when its disk is full. The work goes on without it. */
  onCacheProblem?: (error: unknown) => void;
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
  /** Nothing is written while it is held. By default so unless it is exclusive. */
  isReading?: boolean;
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
  readonly #cache: RepositoryCache | undefined;
  readonly #current: CurrentIndex;
  #key: OpenedKey;
  /** Locks for reading that are held. */
  #readers = 0;

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
    this.#cache =
      options.cache &&
      new RepositoryCache({
        storage: options.cache,
        repositoryId: parts.config.id,
        key: parts.key.key,
        random: this.random,
        onProblem: options.onCacheProblem,
      });
    this.#current = new CurrentIndex({
      storage: parts.storage,
      key: parts.key.key,
      unpacked: this.unpacked,
      cache: this.#cache,
      isReading: () => this.#readers > 0,
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
  snapshots(options?: Omit<LoadOptions, 'cache'>): Promise<StoredSnapshot[]> {
    return loadSnapshots(this.unpacked, { ...options, cache: this.#cache });
  }

  /** One snapshot by id, beginning of an id, or `latest` (narrowed by the filter). */
  async findSnapshot(text: string, filter?: SnapshotFilter): Promise<StoredSnapshot> {
    const damaged: SnapshotId[] = [];
    const snapshots = await this.snapshots({ onDamaged: (id) => damaged.push(id) });
    const inTheWay = damaged.find((id) => text === 'latest' || id.startsWith(text.toLowerCase()));
    if (inTheWay) throw damagedSnapshot(text, inTheWay);
    return findSnapshot(snapshots, text, filter);
  }

  /**
   * What all index files say, kept up to date by our own writes. Read once, and again when the first call under a
   * new lock finds that others have written. List snapshots before.
   *
   * An index file that is damaged is an error, unless the lock is for reading: then the packs themselves are asked what
   * they hold, and `damagedIndexFiles` tells.
   */
  async index(): Promise<RepositoryIndex> {
    return (await this.#current.get()).index;
  }

  /** Index files that could not be read when the index was read last, for a reader to report. */
  async damagedIndexFiles(): Promise<readonly DamagedIndexFile[]> {
    return (await this.#current.get()).damaged;
  }

  /** Makes the next use read the index files again: after a failed write, or when others may have written. */
  forgetIndex(): void {
    this.#current.forget();
  }

  /** Reads single blobs by the current index. */
  async blobReader(): Promise<BlobReader> {
    return (await this.#current.get()).reader;
  }

  /** The entries of a folder, in order of their names' bytes. */
  async readTree(id: BlobId, signal?: AbortSignal): Promise<TreeNode[]> {
    return (await this.readWholeTree(id, signal)).nodes;
  }

  /** The same, with the entries of types that this program does not know. */
  async readWholeTree(id: BlobId, signal?: AbortSignal): Promise<Tree> {
    const reader = await this.blobReader();
    return reader.readTree(id, signal);
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

  /**
   * Takes a lock as restic does; none when the repository was opened `withoutLock` and nothing will be written.
   * @throws RepositoryError 'repository.locked', 'repository.read-only'
   */
  async lock(request: LockRequest): Promise<RepositoryLock> {
    const signal = request.signal ?? this.#options.signal;
    const isReading = request.isReading ?? !request.exclusive;
    this.#current.expectChange();
    if (this.#options.withoutLock) {
      if (isReading) return this.#whileReading(noLock(signal));
      throw new RepositoryError(
        'repository.read-only',
        'a repository opened without locks can only be read',
        {
          hint: 'Open it again with locks (without --no-lock) to change something.',
        },
      );
    }
    try {
      const lock = await this.#acquireLock(request, signal);
      return isReading ? this.#whileReading(lock) : lock;
    } catch (error) {
      throw isRefusedWrite(error) ? cannotLock(this.storage.location, isReading, error) : error;
    }
  }

  #whileReading(lock: RepositoryLock): RepositoryLock {
    this.#readers++;
    let isHeld = true;
    const release = async (): Promise<void> => {
      if (isHeld) this.#readers--;
      isHeld = false;
      await lock.release();
    };
    const assertHeld = (): Promise<void> => lock.assertHeld();
    return { signal: lock.signal, assertHeld, release, [Symbol.asyncDispose]: release };
  }

  #acquireLock(request: LockRequest, signal: AbortSignal | undefined): Promise<RepositoryLock> {
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

  /**
   * What a write session needs. The session has the shared index for itself until it is closed; a second one at the
   * same time gets an index of its own, in which only durable blobs are known.
   * @param lock under which it writes: no index file is written once it is lost
   * @throws RepositoryError 'repository.version'
   */
  async writeContext(lock: RepositoryLock): Promise<WriteContext> {
    if (this.config.version === 1) {
      throw new RepositoryError('repository.version', 'a repository of version 1 can be read, not written', {
        hint: 'Upgrade it with `restic migrate upgrade_repo_v2`, then try again.',
      });
    }
    const { index, files, release } = await this.#current.claim();
    const { storage, unpacked, executor, clock, random } = this;
    const polynomial = this.config.chunkerPolynomial;
    return {
      storage,
      key: this.key.key,
      polynomial,
      unpacked,
      index,
      executor,
      clock,
      random,
      lock,
      onIndexSaved: (id) => files.add(id),
      onClosed: release,
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

/** Whether the storage takes no files from us. */
function isRefusedWrite(error: unknown): boolean {
  return (
    error instanceof StorageError &&
    (error.code === 'storage.read-only' || error.code === 'storage.access-denied')
  );
}

function cannotLock(location: string, isReading: boolean, cause: unknown): RepositoryError {
  return new RepositoryError(
    'repository.read-only',
    `cannot lock the repository at ${location}: ${messageOf(cause)}`,
    {
      hint: isReading
        ? 'Read it without a lock (--no-lock), or give the right to write and delete below `locks/`.'
        : 'Only reading works in a storage that cannot be written. Give the right to write there.',
      cause,
    },
  );
}

function noLock(signal: AbortSignal | undefined): RepositoryLock {
  const release = async (): Promise<void> => {};
  const assertHeld = async (): Promise<void> => signal?.throwIfAborted();
  return {
    signal: signal ?? new AbortController().signal,
    assertHeld,
    release,
    [Symbol.asyncDispose]: release,
  };
}

function pathNotFound(snapshot: StoredSnapshot, path: string): RepositoryError {
  const id = snapshot.id.slice(0, 8);
  return new RepositoryError('repository.path-not-found', `snapshot ${id} has no ${path}`, {
    hint: `List what is there with \`holdfast ls ${id}\`.`,
  });
}

function damagedSnapshot(text: string, id: SnapshotId): RepositoryError {
  const which = text === 'latest' ? ', so it is not known which one is the latest' : '';
  return new RepositoryError('repository.damaged', `snapshot ${id.slice(0, 12)} is damaged${which}`, {
    hint: 'List the others with `holdfast snapshots` and name one by its id. `holdfast repair snapshots --forget` removes what is no snapshot any more.',
    context: { snapshot: id },
  });
}
