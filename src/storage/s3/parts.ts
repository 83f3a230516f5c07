import { isStream, piecesOf, sizeOf } from '../content.ts';
import type { Content } from '../storage.ts';

const MiB = 1024 * 1024;

/** Content at hand up to this size is one request: it takes no memory of ours. */
const atHandBytesMax = 64 * MiB;
const partBytesMin = 8 * MiB;
/** Scaleway takes no more; AWS 10,000. */
const partsMax = 1000;

/** How a content is cut: `first` alone is the whole when `rest` yields nothing. */
export interface Cut {
  first: Uint8Array;
  rest: AsyncGenerator<Uint8Array>;
}

/** Cuts content into parts of equal size (as R2 wants it) but the last. Reads no further than the part that is asked for. */
export async function cut(content: Content, signal: AbortSignal | undefined): Promise<Cut> {
  const sizeBytes = sizeOf(content);
  const parts = partsOf(content, partSizes(content, sizeBytes), signal);
  const { value: first = new Uint8Array() } = await parts.next();
  return { first, rest: parts };
}

/**
 * Sizes of the parts in turn. A stream of unknown size begins as if it were small; from the thousandth part on its
 * parts grow, which takes it to 5 TiB.
 */
function* partSizes(content: Content, sizeBytes: number | undefined): Generator<number, never> {
  if (!isStream(content) && sizeBytes! <= atHandBytesMax) {
    for (;;) yield Math.max(1, sizeBytes!);
  }
  const fitting = Math.ceil((sizeBytes ?? 0) / partsMax / MiB) * MiB;
  for (let part = 0; ; part++)
    yield Math.max(partBytesMin, fitting) * (sizeBytes === undefined ? 2 ** Math.floor(part / partsMax) : 1);
}

async function* partsOf(
  content: Content,
  sizes: Generator<number, never>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let part = new Part(sizes.next().value, isStream(content));
  for await (const piece of piecesOf(content, signal)) {
    for (let start = 0; start < piece.length; ) {
      start += part.add(piece.subarray(start));
      if (!part.isFull) continue;
      yield part.whole();
      part = new Part(sizes.next().value, isStream(content));
    }
  }
  if (!part.isEmpty) yield part.whole();
}

/** A part that grows to its size. */
class Part {
  readonly #sizeBytes: number;
  /** Of a stream, whose bytes may be used again when the next piece is asked for. */
  readonly #isCopied: boolean;
  #copy: Buffer | undefined;
  readonly #pieces: Uint8Array[] = [];
  #filledBytes = 0;

  constructor(sizeBytes: number, isCopied: boolean) {
    this.#sizeBytes = sizeBytes;
    this.#isCopied = isCopied;
  }

  get isFull(): boolean {
    return this.#filledBytes === this.#sizeBytes;
  }

  get isEmpty(): boolean {
    return this.#filledBytes === 0;
  }

  /** Takes what has room. @returns how many bytes */
  add(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.#sizeBytes - this.#filledBytes);
    if (this.#isCopied) {
      this.#copy ??= Buffer.allocUnsafeSlow(this.#sizeBytes);
      this.#copy.set(taken, this.#filledBytes);
    } else this.#pieces.push(taken);
    this.#filledBytes += taken.length;
    return taken.length;
  }

  whole(): Uint8Array {
    if (this.#copy) return this.#copy.subarray(0, this.#filledBytes);
    const [first] = this.#pieces;
    // One piece stays where it is, unless other threads may write to it.
    const isAlone = this.#pieces.length === 1 && !(first!.buffer instanceof SharedArrayBuffer);
    return isAlone ? first! : Buffer.concat(this.#pieces);
  }
}
