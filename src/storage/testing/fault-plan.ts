import assert from 'node:assert/strict';
import type { Random } from '#base';
import type { Call, Operation } from '../wrappers/around.ts';

/**
 * What can go wrong with a call:
 * - fail / fail-after: the connection is lost before / after the effect ('soon' may be tried again)
 * - refuse: it fails for good, without effect
 * - delay: it is late; longer than a lock lives, it is the late write of a sleeper
 * - hang / hang-after: no answer ever, until aborted; the effect did not / did happen
 * - crash / crash-after: the client dies before / after the effect; no call of its own is answered or has an effect from then on
 * - cut: it breaks in the middle (of a read, a listing, or the content of a write, which then has no effect)
 * - short: a read ends early as if all were well; no storage may do that, and readers must notice
 * - stale: a listing is as it was some changes ago
 */
export type FaultKind =
  | 'fail'
  | 'fail-after'
  | 'refuse'
  | 'delay'
  | 'hang'
  | 'hang-after'
  | 'crash'
  | 'crash-after'
  | 'cut'
  | 'short'
  | 'stale';

export interface Fault {
  kind: FaultKind;
  /** How long a 'delay' is. */
  delayMs: number;
  /** How far, in [0, 1): where a 'cut' or 'short' stream ends, how far back a 'stale' listing lies. */
  fraction: number;
}

/** Which call meets which fault. Asked once for each call, in the order in which they begin. */
export interface FaultPlan {
  next(call: Call): Fault | undefined;
  /** Planned faults that were not met, in words; empty when all were. */
  unmet(): string[];
}

const anywhere: readonly FaultKind[] = ['fail', 'refuse', 'delay', 'hang', 'crash'];
const withEffect: readonly FaultKind[] = [...anywhere, 'fail-after', 'hang-after', 'crash-after'];

/** The faults that each operation can meet. */
export const faultKindsOf: Record<Operation, readonly FaultKind[]> = {
  read: [...anywhere, 'cut', 'short'],
  write: [...withEffect, 'cut'],
  stat: anywhere,
  list: [...anywhere, 'cut', 'stale'],
  delete: withEffect,
  space: anywhere,
  'remove-unfinished': withEffect,
  'list-versions': [...anywhere, 'cut'],
  'read-version': [...anywhere, 'cut', 'short'],
  'delete-version': withEffect,
  'extend-retention': withEffect,
  'retained-until': anywhere,
  hide: withEffect,
  'delete-locked': withEffect,
  'reset-default-lock': withEffect,
  'list-objects': anywhere,
  'read-object': [...anywhere, 'cut', 'short'],
  'stat-object': anywhere,
  'read-tags': anywhere,
  'write-object': [...withEffect, 'cut'],
  copy: withEffect,
  'see-versioning': anywhere,
};

const middle = { delayMs: 1000, fraction: 0.5 };

/** Upper case comes before the effect, lower case after it. */
const kindOfLetter: Record<string, FaultKind> = {
  E: 'fail',
  e: 'fail-after',
  H: 'hang',
  h: 'hang-after',
  K: 'crash',
  k: 'crash-after',
  X: 'refuse',
  D: 'delay',
  C: 'cut',
  S: 'short',
  O: 'stale',
};

/**
 * A script to read, one letter for each call of an operation: `{ write: '..Ee' }` lets two writes pass, fails the
 * third and loses the answer of the fourth. Letters: `.` passes, `E e` error before or after the effect,
 * `H h` hangs, `K k` killed, `X` refused for good, `D` delayed by a second, `C` cut in the middle, `S` short, `O` old listing.
 */
export function scripted(script: Partial<Record<Operation, string>>): FaultPlan {
  const doneCount = new Map<string, number>();
  for (const [operation, letters] of Object.entries(script)) {
    for (const letter of letters) {
      const kind = kindOfLetter[letter];
      const fits = letter === '.' || (kind && faultKindsOf[operation as Operation].includes(kind));
      assert(fits, `${operation} knows no fault "${letter}"`);
    }
  }
  return {
    next({ operation }) {
      const index = doneCount.get(operation) ?? 0;
      doneCount.set(operation, index + 1);
      const kind = kindOfLetter[script[operation]?.[index] ?? '.'];
      return kind && { kind, ...middle };
    },
    unmet: () =>
      Object.entries(script).flatMap(([operation, letters]) =>
        [...letters].flatMap((letter, index) =>
          letter !== '.' && index >= (doneCount.get(operation) ?? 0)
            ? [`${operation} ${index + 1}: ${kindOfLetter[letter]}`]
            : [],
        ),
      ),
  };
}

/** The Nth call that can meet the fault meets it (counted from 1): for "fail the Nth call, for every N". */
export function nthCall(n: number, kind: FaultKind): FaultPlan {
  let count = 0;
  return {
    next: ({ operation }) =>
      faultKindsOf[operation].includes(kind) && ++count === n ? { kind, ...middle } : undefined,
    unmet: () => (count < n ? [`call ${n}: ${kind}`] : []),
  };
}

/** Faults by chance. */
export interface Chances {
  /** How many of a million calls meet the fault. */
  perMillion: Partial<Record<FaultKind, number>>;
  delayMsMax: number;
}

/** Repeats with the seed of its random. */
export function seeded(random: Random, { perMillion, delayMsMax }: Chances): FaultPlan {
  return {
    next({ operation }) {
      // Always three draws, so that a call's luck does not move that of all later ones.
      let luck = random.below(1_000_000);
      const fault = { delayMs: random.below(delayMsMax + 1), fraction: random.below(1000) / 1000 };
      for (const kind of faultKindsOf[operation]) {
        luck -= perMillion[kind] ?? 0;
        if (luck < 0) return { kind, ...fault };
      }
      return undefined;
    },
    unmet: () => [],
  };
}
