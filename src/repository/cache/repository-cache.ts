import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Random } from '#base';
import { type FileInfo, type ReadOptions, type Storage, StorageError } from '#storage';
import type { IndexId, PackId, SnapshotId } from '../format/ids.ts';
import type { MasterKey } from '../format/sealed.ts';
import { readWhole } from '../unpacked-raw.ts';

/** What is kept: index files in compact form (see CompactIndex), snapshots as JSON, parts of packs of trees as they are. */
interface CachedIds {
  index: IndexId;
  snapshots: SnapshotId;
  trees: TreePart;
}

/** `<id of the pack>-<offset in it>` */
export type TreePart = `${PackId}-${number}`;

/** Where more is kept of a kind, the oldest entries go until four fifths are left. */
const treesBytesMax = 1024 ** 3;
const leftShare = 0.8;

export interface CacheOptions {
  /** Where it rests: a folder of this machine, as a rule. Many repositories may share it. */
  storage: Storage;
  repositoryId: string;
  key: MasterKey;
  random: Random;
  /** Told once, when the cache cannot be used: the work goes on without it. */
  onProblem?: ((error: unknown) => void) | undefined;
}

/** Part of what is authenticated. A new form of what is kept needs a new number. */
const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const cipher = 'aes-256-gcm';

const tagName = 'CACHEDIR.TAG';
/** Backup programs pass over a folder with this file (https://bford.info/cachedir/). */
const tagContent = `Signature: 8a477f597d28d172789f06886806bc55
# Holdfast reads repositories faster with what is in here. It may be deleted at any time.
`;

/**
 * What index and snapshot files say, kept close by. An entry is `nonce (12) || AES-256-GCM ciphertext || tag (16)`
 * under a key of its own, derived from the repository's; its name, the repository and the version are authenticated
 * with it. So the cache tells a reader of the disk no more than the repository does, and an entry that is damaged, cut,
 * of another file, repository or version is as good as none. Several processes may use it at once.
 */
export class RepositoryCache {
  readonly #options: CacheOptions;
  readonly #key: Uint8Array;
  #isBroken = false;
  #isTagged = false;

  constructor(options: CacheOptions) {
    this.#options = options;
    const { encrypt, macK, macR } = options.key;
    const secret = Buffer.concat([encrypt, macK, macR]);
    this.#key = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), 'holdfast cache', 32));
  }

  /** What was saved of a file; undefined when nothing was, or it cannot be trusted. */
  async load<Kind extends keyof CachedIds>(
    kind: Kind,
    id: CachedIds[Kind],
    options?: ReadOptions,
  ): Promise<Uint8Array | undefined> {
    const name = this.#nameOf(kind, id);
    return this.#attempt(
      async () => this.#open(name, await readWhole(this.#options.storage, name, options)),
      options,
    );
  }

  /** Keeps what a file says, which never changes. The content is read, not kept. */
  async save<Kind extends keyof CachedIds>(
    kind: Kind,
    id: CachedIds[Kind],
    content: Uint8Array,
  ): Promise<void> {
    const name = this.#nameOf(kind, id);
    await this.#attempt(async () => {
      await this.#tag();
      await this.#options.storage.write(name, this.#seal(name, content));
    });
  }

  /** Removes what was saved and turned out to be of no use. */
  async drop<Kind extends keyof CachedIds>(kind: Kind, id: CachedIds[Kind]): Promise<void> {
    await this.#attempt(() => this.#options.storage.delete(this.#nameOf(kind, id)));
  }

  /** Makes room among the parts of packs of trees, which nothing else bounds. */
  async limitTrees(sizeBytesMax = treesBytesMax): Promise<void> {
    const { storage } = this.#options;
    await this.#attempt(async () => {
      const entries: FileInfo[] = [];
      for await (const entry of storage.list(this.#nameOf('trees', ''))) entries.push(entry);
      let keptBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      if (keptBytes <= sizeBytesMax) return;
      entries.sort((a, b) => (a.modifiedAt?.getTime() ?? 0) - (b.modifiedAt?.getTime() ?? 0));
      for (const { name, sizeBytes } of entries) {
        if (keptBytes <= leftShare * sizeBytesMax) return;
        await storage.delete(name);
        keptBytes -= sizeBytes;
      }
    });
  }

  /** Removes the entries of files that are no more. */
  async keepOnly<Kind extends keyof CachedIds>(kind: Kind, ids: Iterable<CachedIds[Kind]>): Promise<void> {
    const kept = new Set(Array.from(ids, (id) => this.#nameOf(kind, id)));
    const { storage } = this.#options;
    await this.#attempt(async () => {
      for await (const { name } of storage.list(this.#nameOf(kind, '')))
        if (!kept.has(name)) await storage.delete(name);
    });
  }

  #nameOf(kind: keyof CachedIds, id: string): string {
    return `${this.#options.repositoryId}/${kind}/${id}`;
  }

  /** Undefined when the cache fails: whoever asked can do without. */
  async #attempt<T>(work: () => Promise<T>, { signal }: ReadOptions = {}): Promise<T | undefined> {
    if (this.#isBroken) return undefined;
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof StorageError && error.code === 'storage.not-found') return undefined;
      if (!this.#isBroken) this.#options.onProblem?.(error);
      this.#isBroken = true;
      return undefined;
    }
  }

  async #tag(): Promise<void> {
    if (this.#isTagged) return;
    this.#isTagged = true;
    const { storage } = this.#options;
    if (!(await storage.stat(tagName))) await storage.write(tagName, Buffer.from(tagContent));
  }

  #seal(name: string, content: Uint8Array): Uint8Array[] {
    const nonce = this.#options.random.fill(new Uint8Array(nonceBytes));
    const sealing = createCipheriv(cipher, this.#key, nonce, { authTagLength: tagBytes });
    sealing.setAAD(this.#context(name));
    const ciphertext = sealing.update(content);
    sealing.final();
    return [nonce, ciphertext, sealing.getAuthTag()];
  }

  #open(name: string, entry: Uint8Array): Uint8Array | undefined {
    if (entry.length < nonceBytes + tagBytes) return undefined;
    const tagAt = entry.length - tagBytes;
    const opening = createDecipheriv(cipher, this.#key, entry.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    opening.setAAD(this.#context(name));
    opening.setAuthTag(entry.subarray(tagAt));
    const content = opening.update(entry.subarray(nonceBytes, tagAt));
    try {
      opening.final();
    } catch {
      // Not what was sealed under this name.
      return undefined;
    }
    return content;
  }

  #context(name: string): Uint8Array {
    return Buffer.from(`holdfast cache ${version} ${name}`);
  }
}
