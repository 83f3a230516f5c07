import { assertName, assertPrefix } from '../names.ts';

/** Names of the storage and keys of the bucket. */
export class Keys {
  readonly #root: string;

  /** @param prefix of the location: empty, or without slashes at its ends */
  constructor(prefix: string) {
    this.#root = prefix === '' ? '' : `${prefix}/`;
  }

  keyOf(name: string): string {
    assertName(name);
    return this.#root + name;
  }

  keyPrefixOf(prefix: string): string {
    assertPrefix(prefix);
    return this.#root + prefix;
  }

  nameOf(key: string): string {
    return key.slice(this.#root.length);
  }
}
