import { createHash } from 'node:crypto';
import { type FileInfo, type ObjectMetadata, type Storage, StorageError } from '#storage';
import { WorkflowError } from '../errors.ts';
import { md5In } from './changes.ts';
import { sha256InName } from './repository-order.ts';

/** How one content is brought over. */
export interface CopyTask {
  name: string;
  /** What the source listed. */
  info: FileInfo;
  /** undefined: the current one */
  versionId?: string | undefined;
}

export interface CopyReport {
  by: 'us' | 'service';
  sizeBytes: number;
  /** The tags could not be read, so the copy has none. */
  lacksTags: boolean;
}

export interface CopierOptions {
  from: Storage;
  to: Storage;
  /** Files of a repository are named by their content; other facts mean nothing there. */
  isRepository: boolean;
  /** Reads back all that was written. */
  verify: boolean;
  onBytes(count: number): void;
  signal: AbortSignal | undefined;
}

/** Brings single files from one storage to another, and makes sure of what arrived. */
export class Copier {
  readonly #options: CopierOptions;
  /** Both sides are buckets: keys of any form, and what lies beside the bytes. */
  readonly #isBucketToBucket: boolean;
  #isServiceAsked: boolean;

  constructor(options: CopierOptions) {
    this.#options = options;
    const { from, to, isRepository } = options;
    this.#isBucketToBucket = from.objects !== undefined && to.objects !== undefined && !isRepository;
    // A repository's files are checked against their names, which takes reading them.
    this.#isServiceAsked =
      to.copies !== undefined && from.copies?.service === to.copies.service && !isRepository;
  }

  /**
   * @throws StorageError as the storages do ('storage.not-found': of the source); WorkflowError 'workflows.changed'
   * (meanwhile), 'workflows.differs' (what arrived is not what was read)
   */
  async copy(task: CopyTask): Promise<CopyReport> {
    const { sizeBytes } = task.info;
    if (await this.#copiedByService(task)) {
      await this.#confirm(task, undefined);
      this.#options.onBytes(sizeBytes);
      return { by: 'service', sizeBytes, lacksTags: false };
    }
    const { metadata, lacksTags } = await this.#metadataOf(task);
    await this.#confirm(task, await this.#stream(task, metadata));
    return { by: 'us', sizeBytes, lacksTags };
  }

  /** Whether both sides have the same content under the name. */
  async isSame({ name }: CopyTask): Promise<boolean> {
    const { from, to } = this.#options;
    const [ours, theirs] = await Promise.all([this.#hashOf(from, name), this.#hashOf(to, name)]);
    return ours === theirs;
  }

  /** @returns false when the service does not do it; then nothing was written, or will be written over */
  async #copiedByService({ name, info, versionId }: CopyTask): Promise<boolean> {
    const { from, to, signal } = this.#options;
    if (!this.#isServiceAsked) return false;
    const source = {
      address: from.copies!.addressOf(name, versionId),
      sizeBytes: info.sizeBytes,
      etag: info.etag,
    };
    try {
      await to.copies!.copy(name, source, { signal });
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof StorageError) || needsNoSecondTry.includes(error.code)) throw error;
      if (neverGranted.includes(error.code)) this.#isServiceAsked = false;
      return false;
    }
  }

  /** The class of storage is the target's own. */
  async #metadataOf({
    name,
    versionId,
  }: CopyTask): Promise<{ metadata: ObjectMetadata; lacksTags: boolean }> {
    const { from, signal } = this.#options;
    if (!this.#isBucketToBucket) return { metadata: {}, lacksTags: false };
    const facts = await from.objects!.stat(name, { versionId, signal });
    if (!facts) throw gone(name, from);
    const { storageClass: _, ...metadata } = facts.metadata;
    if (facts.tagCount === 0) return { metadata, lacksTags: false };
    try {
      const tags = await from.objects!.tags(name, { versionId, signal });
      return { metadata: { ...metadata, tags }, lacksTags: false };
    } catch (error) {
      if (error instanceof StorageError && neverGranted.includes(error.code))
        return { metadata, lacksTags: true };
      throw error;
    }
  }

  /** @returns the MD5 of what was read, where there is something to compare it with */
  async #stream(task: CopyTask, metadata: ObjectMetadata): Promise<string | undefined> {
    const { to, signal } = this.#options;
    const { name, info } = task;
    let md5: string | undefined;
    const open = (): AsyncIterable<Uint8Array> =>
      this.#read(task, (hash) => {
        md5 = hash;
      });
    const content = { open, sizeBytes: info.sizeBytes };
    if (this.#isBucketToBucket) await to.objects!.write(name, content, metadata, { signal });
    else await to.write(name, content, { signal });
    return md5;
  }

  /** The source's bytes, as many as were listed, and those that its name promises. */
  async *#read(
    { name, info, versionId }: CopyTask,
    onEnd: (md5: string | undefined) => void,
  ): AsyncGenerator<Uint8Array> {
    const { from, to, isRepository, verify, onBytes } = this.#options;
    // Only buckets tell a sum of what they hold.
    const md5 = verify || to.objects ? createHash('md5') : undefined;
    const promised = isRepository ? sha256InName(name) : undefined;
    const sha256 = promised === undefined ? undefined : createHash('sha256');
    const pieces = this.#open(from, name, versionId);
    let seenBytes = 0;
    try {
      for await (const piece of pieces) {
        seenBytes += piece.length;
        if (seenBytes > info.sizeBytes) throw changedMeanwhile(name);
        md5?.update(piece);
        sha256?.update(piece);
        onBytes(piece.length);
        yield piece;
      }
    } catch (error) {
      // The source's storage has tried again for long; the target's shall not try the whole of it once more.
      throw error instanceof StorageError ? givenUp(error) : error;
    }
    if (seenBytes < info.sizeBytes) throw changedMeanwhile(name);
    if (sha256 && sha256.digest('hex') !== promised) throw damaged(name, from);
    onEnd(md5?.digest('hex'));
  }

  /**
   * Compares what arrived. The target's etag tells where it is an MD5 sum; where it says something else, or nothing was
   * read by us, and with `verify` in any case, the content is read back.
   * @param md5 of what was read; undefined: nothing was
   */
  async #confirm({ name, info, versionId }: CopyTask, md5: string | undefined): Promise<void> {
    const { from, to, verify, signal } = this.#options;
    const stored = await (this.#isBucketToBucket ? to.objects! : to).stat(name, { signal });
    if (stored?.sizeBytes !== info.sizeBytes) throw await this.#discarded(name);
    const [expected, told] = [md5 ?? md5In(info.etag), md5In(stored.etag)];
    if (!verify && (expected === undefined || told === undefined || expected === told)) return;
    const wanted = md5 ?? (await this.#hashOf(from, name, versionId));
    if (wanted !== (await this.#hashOf(to, name))) throw await this.#discarded(name);
  }

  /** What arrived wrong must not be taken for right by the next run, which may see no more than its size. */
  async #discarded(name: string): Promise<WorkflowError> {
    const { to, signal } = this.#options;
    const hide = to.retention?.hide.bind(to.retention) ?? to.delete.bind(to);
    await hide(name, { signal });
    return differs(name, to);
  }

  async #hashOf(storage: Storage, name: string, versionId?: string): Promise<string> {
    const hash = createHash('md5');
    for await (const piece of this.#open(storage, name, versionId)) hash.update(piece);
    return hash.digest('hex');
  }

  #open(storage: Storage, name: string, versionId: string | undefined): AsyncIterable<Uint8Array> {
    const { signal } = this.#options;
    if (versionId !== undefined) return storage.versions!.read(name, versionId, undefined, { signal });
    return this.#isBucketToBucket
      ? storage.objects!.read(name, { signal })
      : storage.read(name, undefined, { signal });
  }
}

const neverGranted: readonly string[] = ['storage.access-denied', 'storage.unsupported'];
const needsNoSecondTry: readonly string[] = [
  'storage.no-space',
  'storage.unreachable',
  'storage.interrupted',
];

function givenUp(error: StorageError): StorageError {
  const { code, message, hint, context } = error;
  return new StorageError(code, message, { ...(hint && { hint }), context, retry: 'later', cause: error });
}

function changedMeanwhile(name: string): WorkflowError {
  return new WorkflowError('workflows.changed', `${name} changed while it was copied`, {
    hint: 'Run it again when nobody writes to it.',
  });
}

function damaged(name: string, { location }: Storage): WorkflowError {
  return new WorkflowError(
    'workflows.differs',
    `${name} in ${location} is damaged: its content is not what its name says`,
    {
      hint: 'Run `holdfast check --read-data` there, then `holdfast repair packs`.',
    },
  );
}

function differs(name: string, { location }: Storage): WorkflowError {
  return new WorkflowError('workflows.differs', `${name} in ${location} is not what was written`, {
    hint: 'Somebody else may write there. Run it again; if it comes back, check that storage.',
  });
}

function gone(name: string, { location }: Storage): StorageError {
  return new StorageError('storage.not-found', `there is no ${name} in ${location}`, {
    hint: 'Somebody may have removed it.',
  });
}
