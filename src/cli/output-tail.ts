const keptBytesMax = 1024 * 1024;

/** The last part of what a program wrote. */
export class OutputTail {
  /** How much it wrote in all. */
  totalBytes = 0;
  readonly #pieces: Uint8Array[] = [];
  #keptBytes = 0;

  add(piece: Uint8Array): void {
    this.totalBytes += piece.length;
    this.#keptBytes += piece.length;
    this.#pieces.push(piece);
    while (this.#keptBytes - this.#pieces[0]!.length >= keptBytesMax)
      this.#keptBytes -= this.#pieces.shift()!.length;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#pieces).subarray(-keptBytesMax);
  }
}
