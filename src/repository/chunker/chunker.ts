import { readFileSync } from 'node:fs';
import { chunkerTables } from './polynomial.ts';

/** Limits of restic's chunker, in bytes. A file shorter than the minimum is one blob. */
export const chunkSizeMin = 512 * 1024;
export const chunkSizeMax = 8 * 1024 * 1024;

/** What the chunker reads lies above this address; below are its tables. */
export const chunkerDataStart = 64 * 1024;

const tablesOffset = 1024;

interface Exports {
  scan(from: number, to: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** Finds restic's cut points in bytes that lie in a shared WebAssembly memory. */
export class Chunker {
  readonly #exports: Exports;

  constructor(memory: WebAssembly.Memory, polynomial: bigint) {
    compiled ??= new WebAssembly.Module(readFileSync(new URL('./generated/rabin.wasm', import.meta.url)));
    const instance = new WebAssembly.Instance(compiled, { env: { memory } });
    this.#exports = instance.exports as unknown as Exports;
    new BigUint64Array(memory.buffer, tablesOffset, 512).set(chunkerTables(polynomial));
  }

  /**
   * Looks for the end of the chunk that starts at `start` in the bytes up to `end`.
   * @param scanned address up to which an earlier call has already looked (`start` at first)
   * @returns the length of the chunk, or 0 when it goes on beyond `end`
   */
  cut(start: number, end: number, scanned: number): number {
    const limit = Math.min(end, start + chunkSizeMax);
    const from = Math.max(start + chunkSizeMin - 1, scanned);
    if (from < limit) {
      const found = this.#exports.scan(from, limit) >>> 0;
      if (found !== 0) return found - start;
    }
    return limit - start === chunkSizeMax ? chunkSizeMax : 0;
  }
}
