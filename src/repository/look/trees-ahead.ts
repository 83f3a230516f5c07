import type { BlobId } from '../format/ids.ts';
import type { Repository } from '../repository.ts';
import type { Tree } from '../snapshot/tree.ts';

/** Trees that are read before they are asked for. */
const treesMax = 16;

/** Reads folders one after the other while the next ones are already on their way. */
export class TreesAhead {
  readonly #repository: Repository;
  readonly #signal: AbortSignal | undefined;
  readonly #coming = new Map<BlobId, Promise<Tree>>();

  constructor(repository: Repository, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#signal = signal;
  }

  /** Begins to read the trees that come next, soonest first. */
  expect(ids: Iterable<BlobId>): void {
    for (const id of ids) {
      if (this.#coming.size >= treesMax) return;
      void this.#begin(id);
    }
  }

  /** @throws RepositoryError 'repository.damaged', 'repository.incomplete' */
  async read(id: BlobId): Promise<Tree> {
    const tree = this.#begin(id);
    this.#coming.delete(id);
    return tree;
  }

  /** A tree that was expected and will not be read. */
  forget(id: BlobId): void {
    this.#coming.delete(id);
  }

  #begin(id: BlobId): Promise<Tree> {
    const begun = this.#coming.get(id);
    if (begun) return begun;
    const tree = this.#repository.readWholeTree(id, this.#signal);
    // Reported by `read`; until then nobody waits for it.
    tree.catch(() => {});
    this.#coming.set(id, tree);
    return tree;
  }
}
