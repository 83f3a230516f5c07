import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import type { FileAttributes } from '#base';
import type { BlobId } from '../format/ids.ts';
import { idWords } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { isSameNode } from '../snapshot/same-node.ts';
import { compareNames, nodeOf, type TreeNode } from '../snapshot/tree.ts';
import { encodeTree } from '../snapshot/tree-encode.ts';

/** A folder as the parent snapshot has it. */
export interface FolderBefore {
  id: BlobId;
  /** Entries by `keyOf` their names. */
  nodes: ReadonlyMap<string, TreeNode>;
  /** `nodes` are all that the tree has: none is of an unknown type, no name comes twice. */
  isWhole: boolean;
}

/** A folder whose entries are still coming in. */
export interface OpenFolder {
  readonly parent: OpenFolder | undefined;
  readonly name: Uint8Array;
  readonly attributes: FileAttributes | undefined;
  /** Undefined where the parent snapshot does not have it. */
  readonly before: FolderBefore | undefined;
  readonly nodes: TreeNode[];
  /** Nodes of `before` that came again as they were. */
  readonly same: Set<TreeNode>;
  /** Files and folders in it whose nodes are not there yet. */
  pending: number;
  isLeft: boolean;
}

export interface FinishedFolder {
  folder: OpenFolder;
  id: BlobId;
}

/** Builds tree blobs from the leaves up. Folders may be finished in any order; each waits for what is in it. */
export class TreeBuilder {
  readonly #index: RepositoryIndex;
  readonly #storeTree: (json: Uint8Array, id: BlobId) => Promise<void>;
  readonly #onFinished: (finished: FinishedFolder) => void;
  readonly root: OpenFolder;
  #storing = 0;
  #rootId: BlobId | undefined;
  #failure: unknown;
  #idle: (() => void) | undefined;

  constructor(options: {
    index: RepositoryIndex;
    before: FolderBefore | undefined;
    storeTree(json: Uint8Array, id: BlobId): Promise<void>;
    onFinished(finished: FinishedFolder): void;
  }) {
    this.#index = options.index;
    this.#storeTree = options.storeTree;
    this.#onFinished = options.onFinished;
    this.root = openFolder(undefined, new Uint8Array(0), undefined, options.before);
  }

  enter(
    parent: OpenFolder,
    name: Uint8Array,
    attributes: FileAttributes,
    before: FolderBefore | undefined,
  ): OpenFolder {
    assert(!parent.isLeft, 'a folder was entered after its parent was left');
    parent.pending++;
    return openFolder(parent, name, attributes, before);
  }

  /** No further entries will come; what is pending still may. */
  leave(folder: OpenFolder): void {
    folder.isLeft = true;
    if (folder.pending === 0) this.#finish(folder);
  }

  /** Promises one node, to be given by `add` or withdrawn by `drop`. */
  expect(folder: OpenFolder): void {
    assert(!folder.isLeft, 'an entry came after its folder was left');
    folder.pending++;
  }

  add(folder: OpenFolder, node: TreeNode): void {
    const before = folder.before?.nodes.get(keyOf(node.name));
    if (before && isSameNode(before, node)) folder.same.add(before);
    folder.nodes.push(node);
    this.drop(folder);
  }

  drop(folder: OpenFolder): void {
    folder.pending--;
    assert(folder.pending >= 0);
    if (folder.isLeft && folder.pending === 0) this.#finish(folder);
  }

  /** Waits until the root is stored and returns its id. */
  async finishRoot(): Promise<BlobId> {
    if (!this.root.isLeft) this.leave(this.root);
    while (this.#rootId === undefined && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#idle = resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
    assert(
      this.#storing === 0 && this.root.pending === 0,
      'a tree is still being stored under a finished root',
    );
    return this.#rootId!;
  }

  fail(error: unknown): void {
    this.#failure ??= error;
    this.#idle?.();
  }

  #finish(folder: OpenFolder): void {
    this.#storing++;
    this.#store(folder)
      .catch((error: unknown) => this.fail(error))
      .finally(() => this.#idle?.());
  }

  async #store(folder: OpenFolder): Promise<void> {
    const id = isAsBefore(folder) ? folder.before!.id : await this.#storeNodes(folder.nodes);
    this.#storing--;
    folder.nodes.length = 0;
    folder.same.clear();
    this.#onFinished({ folder, id });
    if (!folder.parent) this.#rootId = id;
    else this.add(folder.parent, nodeOf(folder.name, folder.attributes!, { subtree: id }));
  }

  async #storeNodes(nodes: TreeNode[]): Promise<BlobId> {
    nodes.sort(compareNames);
    const json = Buffer.from(encodeTree(nodes));
    const digest = hash('sha256', json, 'buffer');
    const id = digest.toString('hex') as BlobId;
    if (!this.#index.table.has('tree', idWords(digest))) await this.#storeTree(json, id);
    return id;
  }
}

/** A name as a map key: one character per byte. */
export function keyOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
}

/** Whether the tree of the parent snapshot says it all, so that none need be encoded and hashed. */
function isAsBefore({ before, nodes, same }: OpenFolder): boolean {
  return before?.isWhole === true && nodes.length === same.size && same.size === before.nodes.size;
}

function openFolder(
  parent: OpenFolder | undefined,
  name: Uint8Array,
  attributes: FileAttributes | undefined,
  before: FolderBefore | undefined,
): OpenFolder {
  return { parent, name, attributes, before, nodes: [], same: new Set(), pending: 0, isLeft: false };
}
