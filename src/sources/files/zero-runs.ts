/** Holes begin and end at multiples of this, the block size of most file systems. */
const blockSize = 4096;
const zeros = Buffer.alloc(blockSize);

/**
 * The parts of `bytes` that are not whole blocks of zeros, as ranges in it.
 * @param offset of `bytes` in its file; blocks are counted from the file's start
 */
export function dataRanges(bytes: Uint8Array, offset: number): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + blockSize - ((offset + at) % blockSize));
    if (end - at < blockSize || zeros.compare(bytes, at, end) !== 0) {
      const latest = ranges.at(-1);
      if (latest?.end === at) latest.end = end;
      else ranges.push({ start: at, end });
    }
    at = end;
  }
  return ranges;
}
