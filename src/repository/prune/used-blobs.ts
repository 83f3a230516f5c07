import { RepositoryError } from '../errors.ts';
import { forEachAtOnce } from '../for-each-at-once.ts';
import type { BlobId } from '../format/ids.ts';
import { type BlobType, hexOfWords, idWordsOfHex } from '../index/blob-table.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { SlotSet } from '../index/slot-set.ts';
import type { BlobReader } from '../read/blob-reader.ts';
import type { StoredSnapshot } from '../snapshot/snapshot.ts';
import { visitTreeReferences } from '../snapshot/tree-references.ts';

/** Trees that are read at once: the storage's latency overlaps. */
const readersMax = 8;

/** The blobs that snapshots need: one bit each, however many snapshots there are. */
export class UsedBlobs {
  readonly #index: RepositoryIndex;
  readonly #slots: SlotSet;
  /** Blobs that lie in marked packs only, by type and id: a snapshot came late. */
  readonly #marked = new Set<string>();

  constructor(index: RepositoryIndex) {
    this.#index = index;
    this.#slots = new SlotSet(index.table.slots);
  }

  get size(): number {
    return this.#slots.size + this.#marked.size;
  }

  /**
   * Returns whether the blob was not in the set.
   * @throws RepositoryError 'repository.incomplete' when no index file knows it
   */
  add(type: BlobType, words: Int32Array): boolean {
    const slot = this.#index.table.slot(type, words);
    if (slot >= 0) return this.#slots.add(slot);
    const id = hexOfWords(words) as BlobId;
    const key = `${type} ${id}`;
    if (this.#marked.has(key)) return false;
    if (this.#index.places(type, id).length === 0) throw unknownBlob(type, id);
    this.#marked.add(key);
    return true;
  }

  hasSlot(slot: number): boolean {
    return this.#slots.has(slot);
  }

  /** `<type> <id>` of the used blobs that no pack holds but marked ones. */
  get onlyMarked(): ReadonlySet<string> {
    return this.#marked;
  }
}

function unknownBlob(type: BlobType, id: BlobId): RepositoryError {
  return new RepositoryError(
    'repository.incomplete',
    `no index file knows the ${type} blob ${id.slice(0, 12)}`,
    {
      hint: 'Nothing was changed. Run `holdfast repair index`, then `holdfast check`.',
      context: { blob: id },
    },
  );
}

export interface FindUsedOptions {
  index: RepositoryIndex;
  reader: BlobReader;
  snapshots: readonly StoredSnapshot[];
  onTree?: () => void;
  signal?: AbortSignal;
}

/**
 * Walks all snapshots and reads each of their trees once, level by level, in the order in which trees lie in the
 * packs. A tree that cannot be read is an error: nothing may be deleted then.
 * @throws RepositoryError 'repository.damaged', 'repository.incomplete'
 */
export async function findUsedBlobs(options: FindUsedOptions): Promise<UsedBlobs> {
  const { index, reader, snapshots, signal } = options;
  const used = new UsedBlobs(index);
  let level = snapshots.map(({ tree }) => tree).filter((tree) => used.add('tree', idWordsOfHex(tree)));
  while (level.length > 0) {
    const next: BlobId[] = [];
    await forEachAtOnce(inStoredOrder(index, level), readersMax, async (id) => {
      signal?.throwIfAborted();
      visitTreeReferences(await reader.read('tree', id, signal), (type, words) => {
        if (used.add(type, words) && type === 'tree') next.push(hexOfWords(words) as BlobId);
      });
      options.onTree?.();
    });
    level = next;
  }
  return used;
}

/** Neighbours are then fetched together. */
function inStoredOrder(index: RepositoryIndex, trees: readonly BlobId[]): BlobId[] {
  const placed = trees.map((id) => ({ id, place: index.places('tree', id)[0]! }));
  placed.sort((a, b) => a.place.pack - b.place.pack || a.place.offset - b.place.offset);
  return placed.map(({ id }) => id);
}
