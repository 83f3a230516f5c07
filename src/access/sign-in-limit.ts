import type { Clock } from '#base';
import { AccessError } from './errors.ts';

/** Wrong passwords that are free; then each one doubles the wait. */
const freeTries = 5;
const firstWaitMs = 2000;
const waitMsMax = 15 * 60_000;
const forgottenAfterMs = 60 * 60_000;
const namesMax = 10_000;

interface Tries {
  count: number;
  /** No try before. */
  untilMs: number;
  lastMs: number;
}

/** Slows guessing down, by user and by address. It forgets at a restart, which an attacker cannot cause. */
export class SignInLimit {
  readonly #clock: Clock;
  readonly #tries = new Map<string, Tries>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws AccessError 'access.too-many-tries' */
  assertMayTry(names: readonly string[]): void {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = Math.max(...names.map((name) => (this.#tries.get(name)?.untilMs ?? nowMs) - nowMs));
    if (waitMs <= 0) return;
    throw new AccessError('access.too-many-tries', 'too many wrong passwords', {
      hint: `Wait ${Math.ceil(waitMs / 1000)} seconds, then try again.`,
      context: { waitMs },
    });
  }

  noteFailure(names: readonly string[]): void {
    const nowMs = this.#clock.monotonicMs();
    for (const name of names) {
      const before = this.#tries.get(name);
      const count = before && nowMs - before.lastMs < forgottenAfterMs ? before.count + 1 : 1;
      const waitMs = count < freeTries ? 0 : Math.min(firstWaitMs * 2 ** (count - freeTries), waitMsMax);
      this.#tries.delete(name);
      this.#tries.set(name, { count, untilMs: nowMs + waitMs, lastMs: nowMs });
    }
    // The oldest go first: names are cheap for an attacker.
    for (const name of this.#tries.keys()) {
      if (this.#tries.size <= namesMax) break;
      this.#tries.delete(name);
    }
  }

  noteSuccess(names: readonly string[]): void {
    for (const name of names) this.#tries.delete(name);
  }
}
