import type { Libc } from './native.ts';
import { type Place, systemError } from './posix.ts';

const EINVAL = 22;
const ENAMETOOLONG = 36;
const capacity = 4096;
const slash = 0x2f;

/** Fixed memory for one text that libc reads. Each `put` ends it with NUL, replaces the last, and returns the address. */
export class CText {
  readonly #address: bigint;
  readonly #bytes = new Uint8Array(new ArrayBuffer(capacity));

  constructor(libc: Libc) {
    this.#address = libc.addressOf(this.#bytes);
  }

  put(text: Uint8Array): bigint {
    return this.#append(text, 0);
  }

  /** @throws 'EINVAL' for a name with `/`, which libc would take for a path out of the folder */
  putName(name: Uint8Array): bigint {
    if (name.includes(slash)) throw systemError(EINVAL, 'name', name);
    return this.#append(name, 0);
  }

  /** The place as a path, for calls that know no folder: /proc/self/fd/N is the open folder itself. */
  putPath({ folder, name }: Place): bigint {
    if (name.includes(slash)) throw systemError(EINVAL, 'name', name);
    const prefix = `/proc/self/fd/${folder}/`;
    for (let i = 0; i < prefix.length; i++) this.#bytes[i] = prefix.charCodeAt(i);
    return this.#append(name, prefix.length);
  }

  #append(text: Uint8Array, offset: number): bigint {
    const { length } = text;
    if (offset + length >= capacity) throw systemError(ENAMETOOLONG, 'name', text);
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) {
      const byte = text[i]!;
      // libc would end here and act on another file.
      if (byte === 0) throw systemError(EINVAL, 'name', text);
      bytes[offset + i] = byte;
    }
    bytes[offset + length] = 0;
    return this.#address;
  }
}

/** Fixed memory that libc fills or reads. */
export interface Memory {
  bytes: Buffer;
  address: bigint;
}

export function fixedMemory(libc: Libc, sizeBytes: number): Memory {
  const bytes = Buffer.from(new ArrayBuffer(sizeBytes));
  return { bytes, address: libc.addressOf(bytes) };
}
