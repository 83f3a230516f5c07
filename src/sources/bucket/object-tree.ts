import type { BucketObject } from '#storage';
import { SourceError } from '../errors.ts';
import { pathBesideFolder, pathOfKey } from './object-path.ts';

/** What a list of objects becomes, names from the root of the tree. */
export type TreeStep =
  | { kind: 'enter'; path: readonly string[] }
  | { kind: 'leave'; path: readonly string[] }
  | { kind: 'object'; path: readonly string[]; object: BucketObject };

/** An object that may yet turn out to stand beside a folder of its name. */
interface HeldObject {
  object: BucketObject;
  path: readonly string[];
  isBesideFolder: boolean;
}

/**
 * Makes a tree of objects that come in the order of their keys' bytes, in which all keys of a folder follow each other,
 * though not in the order of a tree: `a-b` comes between `a` and `a/b`. Every folder is entered once. An object is held
 * until no later key can begin with its own, because its name depends on whether a folder has it too; so those that are
 * held begin one another, and what this takes of memory is bounded by the length of a key.
 */
export class ObjectTree {
  readonly #held: HeldObject[] = [];
  readonly #folders: string[] = [];
  #last: string | undefined;

  /** @throws SourceError 'sources.order' */
  *add(object: BucketObject): Generator<TreeStep> {
    const key = object.name;
    if (this.#last !== undefined && compareKeys(this.#last, key) >= 0) throw disordered(this.#last, key);
    this.#last = key;
    yield* this.#release(key);
    const path = pathOfKey(key);
    const folders = path.slice(0, -1);
    const different = this.#folders.findIndex((name, i) => name !== folders[i]);
    if (different >= 0) yield* this.#leaveTo(different);
    for (const name of folders.slice(this.#folders.length)) {
      this.#folders.push(name);
      yield { kind: 'enter', path: [...this.#folders] };
    }
    this.#held.push({ object, path, isBesideFolder: false });
  }

  /** What is still held, and the way back to the root. */
  *end(): Generator<TreeStep> {
    yield* this.#release(undefined);
    yield* this.#leaveTo(0);
  }

  /** Objects that `key` does not begin with, so that no later one does. */
  *#release(key: string | undefined): Generator<TreeStep> {
    for (;;) {
      const held = this.#held.at(-1);
      if (!held || key?.startsWith(held.object.name)) break;
      this.#held.pop();
      yield* this.#leaveTo(held.path.length - 1);
      const path = held.isBesideFolder ? pathBesideFolder(held.path) : held.path;
      yield { kind: 'object', path, object: held.object };
    }
    for (const held of this.#held) held.isBesideFolder ||= key![held.object.name.length] === '/';
  }

  *#leaveTo(depth: number): Generator<TreeStep> {
    while (this.#folders.length > depth) {
      yield { kind: 'leave', path: [...this.#folders] };
      this.#folders.pop();
    }
  }
}

/** Order of keys: by their bytes, which is not that of JavaScript's texts. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function disordered(before: string, key: string): SourceError {
  const keys = `${JSON.stringify(key)} comes after ${JSON.stringify(before)}`;
  return new SourceError('sources.order', `the bucket is not listed in the order of keys: ${keys}`, {
    hint: 'Directory buckets and some servers list in an order of their own; such a bucket cannot be backed up this way.',
  });
}
