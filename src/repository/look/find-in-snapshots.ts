import type { BlobId } from '../format/ids.ts';
import { hexOfWords, idWordsOfHex } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import type { Repository } from '../repository.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import type { TreeNode } from '../snapshot/tree.ts';
import { PathPatterns, type PathPlace } from './path-patterns.ts';
import { type DamagedFolder, type WalkEntry, walkSnapshot } from './walk-snapshot.ts';

export interface FindRequest {
  /** Where to look, in this order. */
  snapshots: readonly StoredSnapshot[];
  /** Names or paths, any of them. What is in a matching folder matches too, as in restic. */
  patterns?: readonly string[];
  ignoreCase?: boolean;
  /** For patterns: modified at this time or later, and at this time or before. */
  oldestNs?: bigint | undefined;
  newestNs?: bigint | undefined;
  /** Ids, or beginnings of them: blobs of files, folders, and packs with either. */
  blobs?: readonly string[];
  trees?: readonly string[];
  packs?: readonly string[];
  /** Goes on without a folder that cannot be read. Without it, the first one is an error. */
  onDamaged?: (folder: DamagedFolder & { snapshot: StoredSnapshot }) => void;
  signal?: AbortSignal | undefined;
}

export interface FoundEntry {
  snapshot: StoredSnapshot;
  path: string;
  /** Absent for the root. */
  node?: TreeNode;
  /** What was found by its id, and not by its path. */
  object?: { type: 'blob' | 'tree'; id: BlobId };
}

/**
 * Searches snapshots for paths or ids. A folder in which nothing was found is not read again for another snapshot.
 * @throws RepositoryError 'repository.pattern'
 */
export async function* findInSnapshots(
  repository: Repository,
  request: FindRequest,
): AsyncGenerator<FoundEntry> {
  const search = new Search(repository, await repository.index(), request);
  for (const snapshot of request.snapshots) yield* search.findIn(snapshot);
}

/** A folder that is being searched. */
interface OpenFolder {
  tree: BlobId;
  place: PathPlace;
  /** Something was found in it, or could not be seen. */
  isNotable: boolean;
}

class Search {
  readonly #repository: Repository;
  readonly #index: RepositoryIndex;
  readonly #request: FindRequest;
  readonly #patterns: PathPatterns;
  readonly #wanted: { blobs: ReadonlySet<string>; trees: ReadonlySet<string> };
  /** By place in the patterns: trees without any match. */
  readonly #barren = new Map<string, SlotSet>();

  constructor(repository: Repository, index: RepositoryIndex, request: FindRequest) {
    this.#repository = repository;
    this.#index = index;
    this.#request = request;
    this.#patterns = new PathPatterns(request.patterns ?? [], { ignoreCase: request.ignoreCase ?? false });
    this.#wanted = wantedIds(index, request);
  }

  async *findIn(snapshot: StoredSnapshot): AsyncGenerator<FoundEntry> {
    const root = { tree: snapshot.tree, place: this.#patterns.start, isNotable: false };
    if (this.#wanted.trees.has(root.tree)) {
      root.isNotable = true;
      yield { snapshot, path: '/', object: { type: 'tree', id: root.tree } };
    }
    if (!this.#isPromising(root.tree, root.place)) return;
    const open: OpenFolder[] = [root];
    const walk = walkSnapshot(this.#repository, snapshot, {
      isWanted: (entry) => this.#isWanted(entry, open.at(-1)!),
      isEntered: ({ node, names }) => this.#isPromising(node.subtree!, open[names.length]!.place),
      onDamaged: (folder) => {
        if (!this.#request.onDamaged) throw folder.error;
        for (const one of open) one.isNotable = true;
        this.#request.onDamaged({ ...folder, snapshot });
      },
      signal: this.#request.signal,
    });
    for await (const entry of walk) {
      this.#close(open, entry.names.length);
      const folder = open.at(-1)!;
      const place = this.#patterns.next(folder.place, entry.node.name);
      for (const found of this.#matchesOf(entry, place)) {
        folder.isNotable = true;
        yield { snapshot, path: entry.path, node: entry.node, ...found };
      }
      if (entry.node.subtree) open.push({ tree: entry.node.subtree, place, isNotable: false });
    }
    this.#close(open, 0);
  }

  /** Leaves folders until so many are open, and notes those that were not worth it. */
  #close(open: OpenFolder[], count: number): void {
    while (open.length > count) {
      const { tree, place, isNotable } = open.pop()!;
      if (isNotable) {
        const upper = open.at(-1);
        if (upper) upper.isNotable = true;
        continue;
      }
      const slot = this.#index.table.slot('tree', idWordsOfHex(tree));
      const barren = this.#barren.get(place.key) ?? new SlotSet(this.#index.table.slots);
      this.#barren.set(place.key, barren);
      if (slot >= 0) barren.add(slot);
    }
  }

  #isWanted(entry: WalkEntry, folder: OpenFolder): boolean {
    const place = this.#patterns.next(folder.place, entry.node.name);
    const { subtree } = entry.node;
    if (subtree && this.#isPromising(subtree, place)) return true;
    return !this.#matchesOf(entry, place).next().done;
  }

  /** Whether something may be found in a folder. */
  #isPromising(tree: BlobId, place: PathPlace): boolean {
    const isForIds = this.#wanted.blobs.size + this.#wanted.trees.size > 0;
    if (!isForIds && place.parts.length === 0) return false;
    const slot = this.#index.table.slot('tree', idWordsOfHex(tree));
    return slot < 0 || !this.#barren.get(place.key)?.has(slot);
  }

  *#matchesOf({ node }: WalkEntry, place: PathPlace): Generator<Pick<FoundEntry, 'object'>> {
    const { oldestNs, newestNs } = this.#request;
    const isOld = oldestNs !== undefined && node.mtimeNs < oldestNs;
    const isNew = newestNs !== undefined && node.mtimeNs > newestNs;
    if (place.isMatch && !isOld && !isNew) yield {};
    for (const id of node.content ?? []) {
      if (this.#wanted.blobs.has(id)) yield { object: { type: 'blob', id } };
    }
    const { subtree } = node;
    if (subtree && this.#wanted.trees.has(subtree)) yield { object: { type: 'tree', id: subtree } };
  }
}

/** The ids that the beginnings in the request stand for. */
function wantedIds(
  index: RepositoryIndex,
  { blobs = [], trees = [], packs = [] }: FindRequest,
): { blobs: Set<string>; trees: Set<string> } {
  const wanted = { blobs: new Set<string>(), trees: new Set<string>() };
  if (blobs.length + trees.length + packs.length === 0) return wanted;
  const begins = (id: string, texts: readonly string[]): boolean =>
    texts.some((text) => id.startsWith(text.toLowerCase()));
  index.forEachCopy((type, words, { pack }) => {
    const id = hexOfWords(words);
    const isInPack = packs.length > 0 && begins(index.packs.idOf(pack), packs);
    if (type === 'data' && (isInPack || begins(id, blobs))) wanted.blobs.add(id);
    if (type === 'tree' && (isInPack || begins(id, trees))) wanted.trees.add(id);
  });
  return wanted;
}
