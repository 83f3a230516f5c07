/** Words of the shared state: a generation that grows at each release, a flag, then one word per buffer. */
const generationWord = 0;
const abandonedWord = 1;
const firstBuffer = 2;
const isFree = 0;
const isTaken = 1;

/** Which pack buffers are free, for all threads. Threads take; the main thread gives back when an upload ended. */
export class BufferPool {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffersOrShared: number | SharedArrayBuffer) {
    this.shared =
      typeof buffersOrShared === 'number'
        ? new SharedArrayBuffer((firstBuffer + buffersOrShared) * 4)
        : buffersOrShared;
    this.#words = new Int32Array(this.shared);
  }

  get freeCount(): number {
    let count = 0;
    for (let i = firstBuffer; i < this.#words.length; i++)
      if (Atomics.load(this.#words, i) === isFree) count++;
    return count;
  }

  /** The lowest free buffer (so that few pages are touched) from `from` on and before `to`, or -1. */
  tryTake(from = 0, to = this.#words.length - firstBuffer): number {
    for (let i = firstBuffer + from; i < firstBuffer + to; i++) {
      if (Atomics.compareExchange(this.#words, i, isFree, isTaken) === isFree) return i - firstBuffer;
    }
    return -1;
  }

  /** Blocks this thread until such a buffer is free; throws when the pool was abandoned. Never call it on the main thread. */
  takeBlocking(from?: number, to?: number): number {
    for (;;) {
      const generation = Atomics.load(this.#words, generationWord);
      if (Atomics.load(this.#words, abandonedWord) === 1) throw new Error('the upload of a pack failed');
      const buffer = this.tryTake(from, to);
      if (buffer >= 0) return buffer;
      Atomics.wait(this.#words, generationWord, generation);
    }
  }

  release(buffer: number): void {
    Atomics.store(this.#words, firstBuffer + buffer, isFree);
    this.#wake();
  }

  /** Ends every wait: no buffer will come back. */
  abandon(): void {
    Atomics.store(this.#words, abandonedWord, 1);
    this.#wake();
  }

  #wake(): void {
    Atomics.add(this.#words, generationWord, 1);
    Atomics.notify(this.#words, generationWord);
  }
}
