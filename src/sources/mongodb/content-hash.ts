import { hash } from 'node:crypto';

/** What a collection's documents are, whatever their order. Name and meaning are those of the manifest. */
export interface ContentSummary {
  count: number;
  bytes: number;
  /** 64 lower-case hex digits: the sum of the SHA-256 of every document's bytes, as big-endian numbers, modulo 2^256. */
  hash: string;
}

const wordCount = 8;
/** Sums of 32-bit words stay exact in doubles for so many documents. */
const addsMax = 2 ** 20;

/**
 * Adds documents up to a hash that does not depend on their order: two reads of a collection differ in order.
 * A sum and not XOR, which would cancel equal documents.
 */
export class ContentHash {
  /** Sums of the words at each place, lowest first; carried over now and then. */
  readonly #words = new Float64Array(wordCount);
  #adds = 0;
  #count = 0;
  #bytes = 0;

  add(document: Uint8Array): void {
    // A text of a character for each byte: a buffer for each document would cost as much again, as garbage.
    const digest = hash('sha256', document, 'latin1');
    for (let i = 0; i < wordCount; i++) this.#words[i]! += wordAt(digest, (wordCount - 1 - i) * 4);
    this.#count++;
    this.#bytes += document.length;
    if (++this.#adds === addsMax) this.#carry();
  }

  summary(): ContentSummary {
    this.#carry();
    const words = [...this.#words].reverse().map((word) => word.toString(16).padStart(8, '0'));
    return { count: this.#count, bytes: this.#bytes, hash: words.join('') };
  }

  #carry(): void {
    let carry = 0;
    for (let i = 0; i < wordCount; i++) {
      const sum = this.#words[i]! + carry;
      carry = Math.floor(sum / 2 ** 32);
      this.#words[i] = sum - carry * 2 ** 32;
    }
    this.#adds = 0;
  }
}

/** The big-endian 32-bit word at a place of a digest. */
function wordAt(digest: string, at: number): number {
  const high = (digest.charCodeAt(at) << 8) | digest.charCodeAt(at + 1);
  const low = (digest.charCodeAt(at + 2) << 8) | digest.charCodeAt(at + 3);
  return high * 2 ** 16 + low;
}

export function isSameContent(one: ContentSummary, other: ContentSummary): boolean {
  return one.count === other.count && one.bytes === other.bytes && one.hash === other.hash;
}
