import { StorageError } from '../errors.ts';
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

  /** Of an object of any form. */
  rawKeyOf(name: string): string {
    const key = this.#root + name;
    if (key !== '' && key.isWellFormed()) return key;
    throw new StorageError('storage.name', `${JSON.stringify(key)} cannot be the key of an object`, {
      hint: 'A key is 1 to 1,024 bytes of UTF-8.',
    });
  }

  keyPrefixOf(prefix: string): string {
    assertPrefix(prefix);
    return this.#root + prefix;
  }

  nameOf(key: string): string {
    return key.slice(this.#root.length);
  }
}
