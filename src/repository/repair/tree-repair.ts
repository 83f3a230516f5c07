import { storeBlob } from '../backup/store-blob.ts';
import type { WriteSession } from '../backup/write-session.ts';
import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import { type BlobId, idOf, type PackId } from '../format/ids.ts';
import { idWordsOfHex } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import { isLoss } from '../loss.ts';
import type { BlobReader } from '../read/blob-reader.ts';
import { isSafeName, type Tree, type TreeNode } from '../snapshot/tree.ts';
import { decodeTree } from '../snapshot/tree-decode.ts';
import { encodeTree } from '../snapshot/tree-encode.ts';
import { readFromAny } from './read-from-any.ts';

/** What was done about one entry of a snapshot. */
export interface RepairedEntry {
  path: string;
  /** Parts of the file are gone; its size was wrong; the folder is now empty; an entry of no use was left out. */
  what: 'file-shortened' | 'size-corrected' | 'folder-emptied' | 'entry-removed';
}

export interface TreeRepairParts {
  index: RepositoryIndex;
  reader: BlobReader;
  /** A second repository, for what cannot be read here. */
  copy: BlobReader | undefined;
  /** Sizes of the packs in the storage. */
  packs: ReadonlyMap<PackId, number>;
  /** Undefined when nothing is to be written. */
  session: WriteSession | undefined;
  signal: AbortSignal;
}

const plainSizeUnknown = -1;

/** Makes trees that can be restored out of trees with losses. What comes from the second copy is stored here. */
export class TreeRepair {
  readonly #parts: TreeRepairParts;
  /** Trees without any loss below them, by their slot in the index. */
  readonly #whole: SlotSet;
  /** Trees with a loss, and what they became; a tree without a successor cannot be read. */
  readonly #repaired = new Map<BlobId, { id: BlobId | undefined; entries: RepairedEntry[] }>();
  /** Data blobs that came from the second copy, and their plain sizes. */
  readonly #fetched = new Map<BlobId, number>();
  blobsFetched = 0;

  constructor(parts: TreeRepairParts) {
    this.#parts = parts;
    this.#whole = new SlotSet(parts.index.table.slots);
  }

  /**
   * @returns the tree to be used instead (the same when there is no loss), undefined when this one cannot be read;
   * paths are relative to it
   */
  async repair(id: BlobId): Promise<{ id: BlobId | undefined; entries: readonly RepairedEntry[] }> {
    const { index, signal } = this.#parts;
    signal.throwIfAborted();
    const slot = index.table.slot('tree', idWordsOfHex(id));
    if (slot >= 0 && this.#whole.has(slot)) return { id, entries: [] };
    const known = this.#repaired.get(id);
    if (known) return known;
    const tree = await this.#readTree(id);
    if (!tree) return this.#note(id, { id: undefined, entries: [] });
    const entries: RepairedEntry[] = [];
    const nodes = await this.#repairNodes(tree, entries);
    if (entries.length > 0) return this.#note(id, { id: await this.#storeTree(nodes), entries });
    if (slot >= 0) this.#whole.add(slot);
    return { id, entries };
  }

  #note(id: BlobId, repaired: { id: BlobId | undefined; entries: RepairedEntry[] }): typeof repaired {
    this.#repaired.set(id, repaired);
    return repaired;
  }

  async #readTree(id: BlobId): Promise<Tree | undefined> {
    const { reader, copy, signal } = this.#parts;
    let json = await readFromAny([reader], { type: 'tree', id }, signal);
    if (!json) {
      json = await readFromAny([copy], { type: 'tree', id }, signal);
      if (json) await this.#store('tree', json, id);
    }
    try {
      return json && decodeTree(json);
    } catch (error) {
      if (isLoss(error)) return undefined;
      throw error;
    }
  }

  async #repairNodes(tree: Tree, entries: RepairedEntry[]): Promise<TreeNode[]> {
    const nodes: TreeNode[] = [];
    for (const node of tree.nodes) {
      const path = `/${Buffer.from(node.name).toString()}`;
      if (!isSafeName(node.name)) entries.push({ path, what: 'entry-removed' });
      else if (node.type === 'dir') nodes.push(await this.#repairFolder(node, path, entries));
      else if (node.type === 'file') nodes.push(await this.#repairFile(node, path, entries));
      else nodes.push(node);
    }
    if (entries.length > 0) {
      for (const { name } of tree.unknown)
        entries.push({ path: `/${Buffer.from(name).toString()}`, what: 'entry-removed' });
    }
    return nodes;
  }

  async #repairFolder(node: TreeNode, path: string, entries: RepairedEntry[]): Promise<TreeNode> {
    const repaired = node.subtree && (await this.repair(node.subtree));
    if (!repaired?.id) {
      entries.push({ path, what: 'folder-emptied' });
      return { ...node, subtree: await this.#storeTree([]) };
    }
    for (const entry of repaired.entries) entries.push({ ...entry, path: `${path}${entry.path}` });
    return { ...node, subtree: repaired.id };
  }

  /** As restic does it: what is left of the content moves together. */
  async #repairFile(node: TreeNode, path: string, entries: RepairedEntry[]): Promise<TreeNode> {
    const content: BlobId[] = [];
    let sizeBytes = 0;
    for (const id of node.content ?? []) {
      const plainBytes = await this.#sizeOf(id);
      if (plainBytes === plainSizeUnknown) continue;
      content.push(id);
      sizeBytes += plainBytes;
    }
    if (content.length !== node.content?.length) entries.push({ path, what: 'file-shortened' });
    else if (sizeBytes !== node.sizeBytes) entries.push({ path, what: 'size-corrected' });
    return { ...node, content, sizeBytes };
  }

  /** Plain size of a data blob that is here, or now is; `plainSizeUnknown` when it is lost. */
  async #sizeOf(id: BlobId): Promise<number> {
    const { index, packs, copy, signal } = this.#parts;
    const place = index
      .places('data', id)
      .find(({ pack, offset, length }) => offset + length <= (packs.get(index.packs.idOf(pack)) ?? 0));
    if (place) return place.uncompressedLength || place.length - sealOverheadBytes;
    const fetched = this.#fetched.get(id);
    if (fetched !== undefined) return fetched;
    const plain = await readFromAny([copy], { type: 'data', id }, signal);
    const size = plain ? plain.length : plainSizeUnknown;
    this.#fetched.set(id, size);
    if (plain) await this.#store('data', plain, id);
    return size;
  }

  async #storeTree(nodes: readonly TreeNode[]): Promise<BlobId> {
    const json = encodeTree(nodes);
    const id = idOf<BlobId>(json);
    const { session } = this.#parts;
    if (session) await storeBlob(session, 'tree', json, id);
    return id;
  }

  async #store(type: 'data' | 'tree', plain: Uint8Array, id: BlobId): Promise<void> {
    const { session } = this.#parts;
    this.blobsFetched++;
    if (session) await storeBlob(session, type, plain, id);
  }
}
