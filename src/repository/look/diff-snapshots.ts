import { isDeepStrictEqual } from 'node:util';
import { printableOf } from '#base';
import type { BlobId } from '../format/ids.ts';
import { plainSizeOf, type RepositoryIndex } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { compareNames, type TreeNode } from '../snapshot/tree.ts';
import { TreesAhead } from './trees-ahead.ts';
import { slotOf, visitTrees } from './visit-trees.ts';

/** restic's letters: `+` added, `-` removed, and of what is in both `T` type, `M` content, `U` other facts changed. */
type Modifier = '+' | '-' | 'T' | 'M' | 'U' | 'TU';

export interface SnapshotChange {
  /** For people; a folder's ends with a slash. */
  path: string;
  modifier: Modifier;
}

export interface DiffCounts {
  files: number;
  dirs: number;
  others: number;
  dataBlobs: number;
  treeBlobs: number;
  /** Plain bytes of those blobs. */
  bytes: number;
}

export interface DiffStatistics {
  changedFiles: number;
  added: DiffCounts;
  removed: DiffCounts;
}

export interface DiffOptions {
  /** Tell of changed times, owners and modes too (`U`). */
  metadata?: boolean;
  /**
   * False: read only folders that differ. Then a blob that some folder of both snapshots holds too may be counted
   * as added or removed. By default those folders are read as well, after all changes were told.
   */
  isExact?: boolean;
  onChange: (change: SnapshotChange) => void;
  signal?: AbortSignal | undefined;
}

/**
 * What became of snapshot `before` in snapshot `after`, as restic's diff tells it, in order of the paths.
 * @throws RepositoryError 'repository.damaged', 'repository.incomplete'
 */
export async function diffSnapshots(
  repository: Repository,
  { before, after }: { before: StoredSnapshot; after: StoredSnapshot },
  options: DiffOptions,
): Promise<DiffStatistics> {
  const comparison = new Comparison(repository, await repository.index(), options);
  return comparison.compare(before.tree, after.tree);
}

const noCounts: DiffCounts = { files: 0, dirs: 0, others: 0, dataBlobs: 0, treeBlobs: 0, bytes: 0 };

/** One of the two snapshots: what it alone has, and all its blobs in folders that differ. */
interface Side {
  sign: '+' | '-';
  counts: DiffCounts;
  blobs: SlotSet;
}

class Comparison {
  readonly #repository: Repository;
  readonly #index: RepositoryIndex;
  readonly #options: DiffOptions;
  readonly #trees: TreesAhead;
  readonly #removed: Side;
  readonly #added: Side;
  /** Folders that both snapshots have. */
  readonly #sameFolders = new Set<BlobId>();
  #changedFiles = 0;

  constructor(repository: Repository, index: RepositoryIndex, options: DiffOptions) {
    this.#repository = repository;
    this.#index = index;
    this.#options = options;
    this.#trees = new TreesAhead(repository, options.signal);
    const side = (sign: Side['sign']): Side => ({
      sign,
      counts: { ...noCounts },
      blobs: new SlotSet(index.table.slots),
    });
    this.#removed = side('-');
    this.#added = side('+');
  }

  async compare(before: BlobId, after: BlobId): Promise<DiffStatistics> {
    if (before !== after) {
      this.#markTree(this.#removed, before);
      this.#markTree(this.#added, after);
      await this.#compareFolders('/', before, after);
    }
    return this.#statistics();
  }

  async #compareFolders(path: string, before: BlobId, after: BlobId): Promise<void> {
    this.#trees.expect([before, after]);
    const pairs = pairsOf((await this.#trees.read(before)).nodes, (await this.#trees.read(after)).nodes);
    this.#trees.expect(pairs.flatMap(({ a, b }) => (a?.subtree === b?.subtree ? [] : subtreesOf(a, b))));
    for (const { a, b } of pairs) {
      this.#options.signal?.throwIfAborted();
      if (a) this.#markBlobs(this.#removed, a);
      if (b) this.#markBlobs(this.#added, b);
      if (a && b) await this.#compareNodes(path, a, b);
      else await this.#tellAll(a ? this.#removed : this.#added, path, (a ?? b)!);
    }
  }

  async #compareNodes(folder: string, a: TreeNode, b: TreeNode): Promise<void> {
    const path = pathOf(folder, b);
    const modifier = this.#modifierOf(a, b);
    if (modifier) this.#options.onChange({ path, modifier });
    if (modifier === 'M') this.#changedFiles++;
    if (!a.subtree || !b.subtree) return;
    if (a.subtree === b.subtree) this.#sameFolders.add(a.subtree);
    else await this.#compareFolders(path, a.subtree, b.subtree);
  }

  #modifierOf(a: TreeNode, b: TreeNode): Modifier | undefined {
    const isOther = a.type !== b.type;
    if (a.type === 'file' && b.type === 'file' && !isDeepStrictEqual(a.content, b.content)) return 'M';
    if (this.#options.metadata && !isDeepStrictEqual(a, b)) return isOther ? 'TU' : 'U';
    return isOther ? 'T' : undefined;
  }

  /** An entry that one side alone has, and all that is in it. */
  async #tellAll(side: Side, folder: string, node: TreeNode): Promise<void> {
    const path = pathOf(folder, node);
    this.#options.onChange({ path, modifier: side.sign });
    this.#markBlobs(side, node);
    side.counts[node.type === 'file' ? 'files' : node.type === 'dir' ? 'dirs' : 'others']++;
    if (!node.subtree) return;
    const { nodes } = await this.#trees.read(node.subtree);
    this.#trees.expect(nodes.flatMap((one) => subtreesOf(one)));
    for (const one of nodes) await this.#tellAll(side, path, one);
  }

  #markBlobs(side: Side, { content, subtree }: TreeNode): void {
    for (const id of content ?? []) mark(side.blobs, slotOf(this.#index, 'data', id));
    if (subtree) this.#markTree(side, subtree);
  }

  #markTree(side: Side, id: BlobId): void {
    mark(side.blobs, slotOf(this.#index, 'tree', id));
  }

  async #statistics(): Promise<DiffStatistics> {
    const inBoth = await this.#blobsOfSameFolders();
    const [added, removed] = [this.#added, this.#removed];
    this.#index.table.forEach((type, _id, place, slot) => {
      if (added.blobs.has(slot) === removed.blobs.has(slot) || inBoth?.has(slot)) return;
      const { counts } = added.blobs.has(slot) ? added : removed;
      counts[type === 'data' ? 'dataBlobs' : 'treeBlobs']++;
      counts.bytes += plainSizeOf(place);
    });
    return { changedFiles: this.#changedFiles, added: added.counts, removed: removed.counts };
  }

  async #blobsOfSameFolders(): Promise<SlotSet | undefined> {
    if (this.#options.isExact === false) return undefined;
    const found = new SlotSet(this.#index.table.slots);
    const visitor = {
      isEntered: (slot: number) => found.add(slot),
      visitData: (slot: number) => void found.add(slot),
    };
    for (const tree of this.#sameFolders)
      await visitTrees(this.#repository, tree, visitor, this.#options.signal);
    return found;
  }
}

function mark(blobs: SlotSet, slot: number): void {
  if (slot >= 0) blobs.add(slot);
}

function pathOf(folder: string, node: TreeNode): string {
  return `${folder}${printableOf(node.name)}${node.type === 'dir' ? '/' : ''}`;
}

function subtreesOf(...nodes: (TreeNode | undefined)[]): BlobId[] {
  return nodes.flatMap((node) => node?.subtree ?? []);
}

/** The entries of two folders side by side, in order of their names. */
function pairsOf(
  before: readonly TreeNode[],
  after: readonly TreeNode[],
): { a: TreeNode | undefined; b: TreeNode | undefined }[] {
  const pairs: { a: TreeNode | undefined; b: TreeNode | undefined }[] = [];
  for (let i = 0, j = 0; i < before.length || j < after.length; ) {
    const [a, b] = [before[i], after[j]];
    const order = !a ? 1 : !b ? -1 : compareNames(a, b);
    pairs.push({ a: order <= 0 ? a : undefined, b: order >= 0 ? b : undefined });
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return pairs;
}
