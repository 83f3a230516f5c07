/** How often something happened, by pair: `prune × crash`. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(pair: string, count = 1): void {
    this.#counts.set(pair, this.of(pair) + count);
  }

  of(pair: string): number {
    return this.#counts.get(pair) ?? 0;
  }

  entries(): [string, number][] {
    return [...this.#counts];
  }

  addAll(entries: Iterable<readonly [string, number]>): void {
    for (const [pair, count] of entries) this.add(pair, count);
  }
}
