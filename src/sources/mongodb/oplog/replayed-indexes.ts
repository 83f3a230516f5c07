import { orderedDocument } from '../ordered-document.ts';

/** An index as createIndexes takes it. */
export type IndexSpec = Map<string, unknown>;

/** What of an index a collMod changes. */
const changeable = ['expireAfterSeconds', 'hidden', 'unique', 'prepareUnique'];

/**
 * The indexes that collections are to have when the replay has ended. They are built then: a unique one would refuse what
 * a later entry puts right, one that deletes by time would delete what is restored.
 */
export class ReplayedIndexes {
  readonly #byNamespace = new Map<string, Map<string, IndexSpec>>();

  set(namespace: string, specs: readonly IndexSpec[]): void {
    const own = this.#byNamespace.get(namespace) ?? new Map<string, IndexSpec>();
    for (const spec of specs) own.set(nameOf(spec), spec);
    this.#byNamespace.set(namespace, own);
  }

  /** Namespace → its indexes. */
  *all(): Generator<[string, IndexSpec[]]> {
    for (const [namespace, own] of this.#byNamespace) yield [namespace, [...own.values()]];
  }

  forget(namespace: string): void {
    this.#byNamespace.delete(namespace);
  }

  move(from: string, to: string): void {
    const own = this.#byNamespace.get(from);
    this.forget(from);
    this.forget(to);
    if (own) this.#byNamespace.set(to, own);
  }

  /** @param which a name, `*`, or a key */
  drop(namespace: string, which: unknown): void {
    const own = this.#byNamespace.get(namespace);
    if (which === '*') own?.clear();
    else for (const name of this.#find(namespace, which)) own!.delete(name);
  }

  /** @param change the `index` of a collMod @returns whether there is such an index */
  modify(namespace: string, change: Uint8Array): boolean {
    const fields = orderedDocument(change);
    const names = this.#find(namespace, fields.get('name') ?? fields.get('keyPattern'));
    const own = this.#byNamespace.get(namespace);
    for (const name of names) {
      const spec = own!.get(name)!;
      for (const field of changeable) if (fields.has(field)) spec.set(field, fields.get(field));
      if (fields.has('forceNonUnique')) spec.delete('unique');
    }
    return names.length > 0;
  }

  #find(namespace: string, which: unknown): string[] {
    const own = [...(this.#byNamespace.get(namespace) ?? [])];
    const key = which instanceof Map ? keyText(which) : undefined;
    return own
      .filter(([name, spec]) => (key === undefined ? name === which : keyText(spec.get('key')) === key))
      .map(([name]) => name);
  }
}

function nameOf(spec: IndexSpec): string {
  return String(spec.get('name'));
}

function keyText(key: unknown): string {
  return JSON.stringify(
    [...(key as Map<string, unknown>)].map(([name, order]) => [name, Number(order) || String(order)]),
  );
}
