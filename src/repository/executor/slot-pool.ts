import assert from 'node:assert/strict';

/**
 * Slots of the arena, given out in order of asking. A slot is held by its reader and by every task that
 * still needs its bytes; it is free when the last holder has let go. A reader that waits for its source
 * offers its slot: when somebody else needs one, the reader is told to park what it has and let go, so
 * any number of streams can be open over a few slots without waiting for each other for ever.
 */
export class SlotPool {
  readonly #holders: number[];
  readonly #waiting: { resolve(slot: number): void; reject(error: unknown): void }[] = [];
  readonly #offers = new Set<() => void>();
  #failure: unknown;

  constructor(slots: number) {
    this.#holders = new Array<number>(slots).fill(0);
  }

  get isIdle(): boolean {
    return this.#holders.every((count) => count === 0);
  }

  /** Waits for a free slot; the caller holds it. Rejects when the pool has failed. */
  acquire(): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const slot = this.#holders.indexOf(0);
    if (slot >= 0) {
      this.#holders[slot] = 1;
      return Promise.resolve(slot);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#callIn();
    });
  }

  /** The caller is idle: `park` may be called until `withdraw`, once, and must release its slot. */
  offer(park: () => void): void {
    this.#offers.add(park);
    if (this.#waiting.length > 0) this.#callIn();
  }

  withdraw(park: () => void): void {
    this.#offers.delete(park);
  }

  hold(slot: number): void {
    assert(this.#holders[slot]! > 0, 'a free slot cannot be held');
    this.#holders[slot]!++;
  }

  release(slot: number): void {
    assert(this.#holders[slot]! > 0, 'a slot was released twice');
    if (--this.#holders[slot]! > 0) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#holders[slot] = 1;
    next.resolve(slot);
  }

  /** Ends every wait, now and later: whoever holds the slots may never let go. */
  fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }

  #callIn(): void {
    for (const park of this.#offers) {
      this.#offers.delete(park);
      park();
      return;
    }
  }
}
