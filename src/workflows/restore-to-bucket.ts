import { createHash } from 'node:crypto';
import { filePartsOf, type Repository, type TreeNode } from '#repository';
import {
  BucketTarget,
  type Decision,
  endsBucketRestore,
  type OverwritePolicy,
  type WantedObject,
} from '#sources';
import type { Storage } from '#storage';
import { type Problem, stateOf } from './outcome.ts';
import type { RestorePreview } from './preview-restore.ts';
import type { RestoreOutcome, RestoreProgress } from './restore.ts';
import { measure, type RestoreEntry, type RestoreSelection, wantedEntries } from './restore-entries.ts';

export interface BucketRestoreRequest extends RestoreSelection {
  /** Where the objects go: a bucket, or a prefix of one. */
  storage: Storage;
  overwrite?: OverwritePolicy;
  /** Reads every object back and compares it with the snapshot; what looks the same already too. */
  verify?: boolean;
  onProgress?: (progress: RestoreProgress) => void;
  onProblem?: (problem: Problem) => void;
}

export interface BucketPreviewRequest extends Omit<BucketRestoreRequest, 'verify' | 'onProgress'> {
  onEntry?: (entry: { path: string; node: TreeNode; decision: Decision }) => void;
}

/** Bytes under way at once, as far as they are held in memory: a large file goes up in parts, a few of them at once. */
const heldBytesMax = 96 * 1024 * 1024;
const heldBytesOfFileMax = 32 * 1024 * 1024;

/**
 * Restores the files of a snapshot into a bucket, each as an object. Folders are nothing there; links and devices have
 * no place and are told. Rejects when nothing can be written there; the same restore again goes on.
 */
export async function restoreToBucket(request: BucketRestoreRequest): Promise<RestoreOutcome> {
  const { repository } = request;
  await using lock = await repository.lock({ exclusive: false, signal: request.signal });
  const stop = new AbortController();
  const signal = AbortSignal.any([lock.signal, stop.signal]);
  const restore = new BucketRestore({ ...request, signal });
  try {
    await restore.run((error) => stop.abort(error));
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  }
  return restore.outcome();
}

/** Tells what `restoreToBucket` would do, and changes nothing. */
export async function previewBucketRestore(request: BucketPreviewRequest): Promise<RestorePreview> {
  await using lock = await request.repository.lock({ exclusive: false, signal: request.signal });
  const preview = { created: 0, replaced: 0, unchanged: 0, left: 0, sizeBytes: 0 };
  const restore = new BucketRestore({ ...request, signal: lock.signal });
  for await (const { entry, object } of restore.files()) {
    const { path, node } = entry;
    const decision = await restore.target.decide(object, lock.signal);
    preview[countOf[decision]]++;
    if (decision === 'create' || decision === 'replace') preview.sizeBytes += node.sizeBytes;
    request.onEntry?.({ path, node, decision });
  }
  return { ...preview, problems: restore.problems, state: stateOf(restore.problems) };
}

const countOf = { create: 'created', replace: 'replaced', keep: 'unchanged', leave: 'left' } as const;

class BucketRestore {
  readonly problems: Problem[] = [];
  readonly target: BucketTarget;
  readonly #request: BucketRestoreRequest & { signal: AbortSignal };
  readonly #summary = { folders: 0, files: 0, unchanged: 0, left: 0, links: 0, others: 0 };
  readonly #verified = { files: 0, sizeBytes: 0 };
  readonly #progress: RestoreProgress = {
    filesTotal: 0,
    bytesTotal: 0,
    filesDone: 0,
    bytesDone: 0,
    bytesResumed: 0,
    bytesVerified: 0,
  };

  constructor(request: BucketRestoreRequest & { signal: AbortSignal }) {
    this.#request = request;
    this.target = new BucketTarget(request);
  }

  /** @param onFatal told of what ends the whole restore */
  async run(onFatal: (error: unknown) => void): Promise<void> {
    const { repository, signal, onProgress } = this.#request;
    onProgress?.(this.#progress);
    for (const { id, error } of await repository.damagedIndexFiles())
      this.#note({ path: `index/${id}`, error, gravity: 'odd' });
    const size = await measure(this.#request, { isSparse: false });
    this.#progress.filesTotal = size.files;
    this.#progress.bytesTotal = size.sizeBytes;
    const underWay = new Set<Promise<void>>();
    let heldBytes = 0;
    try {
      for await (const { entry, object } of this.files()) {
        signal.throwIfAborted();
        const ownBytes = Math.min(entry.node.sizeBytes, heldBytesOfFileMax);
        heldBytes += ownBytes;
        const work = this.#restoreOne(entry, object)
          .catch(onFatal)
          .finally(() => {
            underWay.delete(work);
            heldBytes -= ownBytes;
          });
        underWay.add(work);
        while (underWay.size > 0 && (underWay.size >= this.target.concurrency || heldBytes > heldBytesMax))
          await Promise.race(underWay);
      }
    } finally {
      await Promise.all(underWay);
    }
    signal.throwIfAborted();
  }

  outcome(): RestoreOutcome {
    return {
      state: stateOf(this.problems),
      problems: this.problems,
      summary: this.#summary,
      progress: this.#progress,
      verified: this.#request.verify ? this.#verified : undefined,
    };
  }

  /** What can be an object. */
  async *files(): AsyncGenerator<{ entry: RestoreEntry; object: WantedObject }> {
    const note = (problem: Problem) => this.#note(problem);
    for await (const entry of wantedEntries(this.#request, { note })) {
      const { names, path, node } = entry;
      if (node.type === 'dir' || node.type === 'socket') continue;
      try {
        if (node.type !== 'file') throw new Error(`a ${node.type} has no place in a bucket`);
        yield { entry, object: this.target.objectOf(names, node) };
      } catch (error) {
        note({ path, error: error as Error, gravity: 'lost' });
      }
    }
  }

  /** Rejects with what ends the whole restore. */
  async #restoreOne({ path, node }: RestoreEntry, object: WantedObject): Promise<void> {
    const { signal, overwrite } = this.#request;
    try {
      // Nothing is asked whose answer changes nothing.
      const isAsked = overwrite !== 'always';
      const decision = isAsked ? await this.target.decide(object, signal) : 'replace';
      const isKept = decision === 'keep' && (await this.#isAsWanted(node, object));
      if (decision === 'leave' || isKept) {
        this.#summary[isKept ? 'unchanged' : 'left']++;
        this.#progress.bytesDone += node.sizeBytes;
      } else await this.#write(path, node, object);
      this.#progress.filesDone++;
    } catch (error) {
      signal.throwIfAborted();
      if (endsBucketRestore(error)) throw error;
      this.#note({ path, error: error as Error, gravity: 'lost' });
    }
  }

  async #write(path: string, node: TreeNode, object: WantedObject): Promise<void> {
    const { repository, signal, verify } = this.#request;
    const progress = this.#progress;
    let sentBytes = 0;
    const open = async function* (): AsyncGenerator<Uint8Array> {
      progress.bytesDone -= sentBytes;
      sentBytes = 0;
      for await (const piece of repository.readFile(node, signal)) {
        sentBytes += piece.length;
        progress.bytesDone += piece.length;
        yield piece;
      }
    };
    const oddity = await this.target.write(object, open, signal);
    if (oddity) this.#note({ path, error: oddity, gravity: 'odd' });
    if (verify) await this.#compare(node, object);
    this.#summary.files++;
  }

  /** Whether what looks the same is the same, where that is to be seen. */
  async #isAsWanted(node: TreeNode, object: WantedObject): Promise<boolean> {
    if (!this.#request.verify) return true;
    try {
      await this.#compare(node, object);
      return true;
    } catch {
      // Whatever is wrong with it, it is restored anew; what is wrong with the snapshot shows then.
      this.#request.signal.throwIfAborted();
      return false;
    }
  }

  async #compare(node: TreeNode, { key }: WantedObject): Promise<void> {
    const { repository, signal } = this.#request;
    await compareStream(repository, node, this.target.read(key, signal), (count) => {
      this.#progress.bytesVerified += count;
    });
    this.#verified.files++;
    this.#verified.sizeBytes += node.sizeBytes;
  }

  #note(problem: Problem): void {
    this.problems.push(problem);
    this.#request.onProblem?.(problem);
  }
}

/** Compares what comes in order with the file of a snapshot. @throws Error that says where they differ */
async function compareStream(
  repository: Repository,
  node: TreeNode,
  pieces: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): Promise<void> {
  const parts = await filePartsOf(repository, node);
  let number = 0;
  let hash = createHash('sha256');
  let hashedBytes = 0;
  const endPart = ({ id, offset, length }: (typeof parts)[number]) => {
    if (hash.digest('hex') !== id)
      throw new Error(`read back: it differs from the snapshot within bytes ${offset} to ${offset + length}`);
    number++;
    hash = createHash('sha256');
    hashedBytes = 0;
  };
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = parts[number];
      if (!part) throw new Error('read back: it is longer than the snapshot has it');
      const slice = piece.subarray(at, at + part.length - hashedBytes);
      hash.update(slice);
      hashedBytes += slice.length;
      at += slice.length;
      if (hashedBytes === part.length) endPart(part);
    }
    onBytes(piece.length);
  }
  if (number < parts.length) throw new Error('read back: it is shorter than the snapshot has it');
}
