import assert from 'node:assert/strict';
import type { KeyId } from '#repository';

/** What a file holds: the number of one of the world's contents, by path. */
export type Files = ReadonlyMap<string, number>;

/** A snapshot as its maker meant it, whatever became of it. */
export interface Meant {
  /** A tag that every form of it has. */
  mark: string;
  files: Files;
  /**
   * - meant: its backup has begun and nobody was told that it is done
   * - reported: it must be there
   * - given up: somebody began to forget it, so it may be there
   */
  state: 'meant' | 'reported' | 'given up';
  /** Its maker slept longer than a lock lives while it was made: what was not reported may be broken. */
  isBySleeper: boolean;
}

/** A key file, and the passwords one of which must open it: several while a change was not reported. */
export interface MeantKey {
  id: KeyId;
  passwords: string[];
  /** The judge has opened it. */
  isProven?: boolean;
}

/** What the programs were told, against which the repository is judged. */
export class Ledger {
  readonly #snapshots = new Map<string, Meant>();
  #begun = 0;
  /** Keys that were reported and that nobody began to remove. */
  keys: MeantKey[] = [];

  /** @param where a name that no other repository has, since marks travel with copies */
  begin(where: string, files: Files): Meant {
    const mark = `mark=${where}-${++this.#begun}`;
    const meant: Meant = { mark, files, state: 'meant', isBySleeper: false };
    this.#snapshots.set(mark, meant);
    return meant;
  }

  /** The same snapshot is about to be made in another repository. */
  beginCopy({ mark, files }: Meant): Meant {
    const meant = this.#snapshots.get(mark) ?? { mark, files, state: 'meant', isBySleeper: false };
    this.#snapshots.set(mark, meant);
    return meant;
  }

  get reported(): Meant[] {
    return [...this.#snapshots.values()].filter(({ state }) => state === 'reported');
  }

  /** All that a verdict on the repository rests on, beside what is stored. */
  facts(): unknown[] {
    const snapshots = [...this.#snapshots.values()].flatMap((one) => [one.mark, one.state, one.isBySleeper]);
    return [...snapshots, ...this.keys.flatMap(({ id, passwords }) => [id, ...passwords])];
  }

  /** What a stored snapshot was meant to be. */
  of(snapshot: { tags: readonly string[] }): Meant {
    const mark = snapshot.tags.find((tag) => tag.startsWith('mark='));
    const meant = this.#snapshots.get(mark ?? '');
    assert(meant, `a snapshot has the tags ${snapshot.tags.join(', ')}, which nobody gave`);
    return meant;
  }
}
