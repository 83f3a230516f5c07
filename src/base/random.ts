import { randomFillSync } from 'node:crypto';

/** Randomness as an argument, so that a seed repeats a simulation. */
export interface Random {
  /** Fills the view with random bytes and returns it. */
  fill<T extends Uint8Array>(view: T): T;
  /** An integer in [0, limit), limit ≤ 2^32. */
  below(limit: number): number;
}

export const systemRandom: Random = {
  fill: (view) => randomFillSync(view),
  below: (limit) => randomFillSync(new Uint32Array(1))[0]! % limit,
};

/** The same numbers for the same seed. For simulations only: not secret. */
export function seededRandom(seed: number): Random {
  let a = (seed ^ 0x9e3779b9) >>> 0;
  let b = (Math.imul(seed, 0x85ebca6b) ^ 0xc2b2ae35) >>> 0;
  let c = 0x6a09e667;
  let d = 1;
  // sfc32: small, passes PractRand, and its counter d makes short cycles impossible.
  const next = (): number => {
    const t = (a + b + d) >>> 0;
    d = (d + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + t) >>> 0;
    return t;
  };
  for (let i = 0; i < 16; i++) next();
  return {
    fill: (view) => {
      const words = new Uint32Array(Math.ceil(view.length / 4));
      for (let i = 0; i < words.length; i++) words[i] = next();
      view.set(new Uint8Array(words.buffer, 0, view.length));
      return view;
    },
    below: (limit) => next() % limit,
  };
}
