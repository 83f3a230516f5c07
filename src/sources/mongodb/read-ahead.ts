/** What was read before it is asked for, up to a number of bytes (one piece may go over it). */
export class ReadAhead {
  readonly #bytesMax: number;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #end: { error?: unknown } | undefined;
  #isGivenUp = false;
  #changed = Promise.withResolvers<void>();

  constructor(source: AsyncGenerator<Uint8Array>, bytesMax: number) {
    this.#bytesMax = bytesMax;
    void this.#fill(source);
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece) {
        this.#bytes -= piece.length;
        this.#change();
        yield piece;
      } else if (this.#end) {
        if ('error' in this.#end) throw this.#end.error;
        return;
      } else await this.#changed.promise;
    }
  }

  giveUp(): void {
    this.#isGivenUp = true;
    this.#change();
  }

  async #fill(source: AsyncGenerator<Uint8Array>): Promise<void> {
    try {
      for await (const piece of source) {
        this.#pieces.push(piece);
        this.#bytes += piece.length;
        this.#change();
        while (this.#bytes >= this.#bytesMax && !this.#isGivenUp) await this.#changed.promise;
        if (this.#isGivenUp) break;
      }
      this.#end = {};
    } catch (error) {
      this.#end = { error };
    }
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
