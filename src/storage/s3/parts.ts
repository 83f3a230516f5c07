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
  let part: Uint8Array[] = [];
  let partBytes = 0;
  let wantedBytes = sizes.next().value;
  const isCopied = isStream(content);
  for await (const piece of piecesOf(content, signal)) {
    for (let start = 0; start < piece.length; ) {
      const slice = piece.subarray(start, start + wantedBytes - partBytes);
      // A stream may use its bytes again when the next piece is asked for.
      part.push(isCopied ? new Uint8Array(slice) : slice);
      partBytes += slice.length;
      start += slice.length;
      if (partBytes < wantedBytes) continue;
      yield joined(part);
      part = [];
      partBytes = 0;
      wantedBytes = sizes.next().value;
    }
  }
  if (partBytes > 0) yield joined(part);
}

/** One piece stays where it is, unless other threads may write to it. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && !(first!.buffer instanceof SharedArrayBuffer)) return first!;
  return Buffer.concat(pieces);
}
