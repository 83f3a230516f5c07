import type { Random } from '#base';
import type { RetryEvent } from '#storage';
import { type FaultKind, type FaultPlan, faultKindsOf } from '../../../src/storage/testing/fault-plan.ts';

/** One of the calls of a storage. */
export type Operation = RetryEvent['call']['operation'];

/**
 * What happens to a call: what a storage can do to it, and beside that
 * - sleep / sleep-after: the whole process stands still before / after the effect, for longer than a lock lives
 * - late: the answer is lost and the effect comes later, whatever the client does meanwhile
 */
export type Misfortune =
  | Extract<FaultKind, 'fail' | 'fail-after' | 'refuse' | 'delay' | 'crash' | 'crash-after' | 'cut' | 'stale'>
  | 'sleep'
  | 'sleep-after'
  | 'late';

export type Rates = Partial<Record<Misfortune, number>>;

/** How many of a million calls meet what; a world has one of these moods, chosen by its seed. */
export const moods: Record<string, Rates> = {
  calm: {},
  flaky: { fail: 20_000, 'fail-after': 30_000, refuse: 8_000, cut: 20_000, delay: 10_000, late: 20_000 },
  stale: { stale: 300_000, delay: 10_000 },
  crashy: { crash: 15_000, 'crash-after': 25_000, delay: 5_000 },
  sleepy: { sleep: 10_000, 'sleep-after': 20_000, delay: 5_000, stale: 100_000 },
  wild: {
    fail: 8_000,
    'fail-after': 15_000,
    refuse: 4_000,
    cut: 8_000,
    delay: 5_000,
    late: 12_000,
    crash: 6_000,
    'crash-after': 10_000,
    stale: 120_000,
    sleep: 5_000,
    'sleep-after': 8_000,
  },
};

/** Far below the time after which a lock is given up (22.5 minutes). */
const delayMsMax = 12 * 60_000;

const ownKinds: Record<string, readonly Misfortune[]> = {
  write: ['sleep', 'sleep-after', 'late'],
  delete: ['sleep', 'sleep-after', 'late'],
  read: ['sleep'],
  list: ['sleep'],
  stat: ['sleep'],
};

/** The misfortunes that a call can meet. */
function misfortunesOf(operation: Operation): readonly Misfortune[] {
  const known = Object.keys({ ...moods.wild, ...moods.flaky });
  const faults = faultKindsOf[operation].filter((kind) => known.includes(kind));
  return [...(faults as Misfortune[]), ...(ownKinds[operation] ?? [])];
}

/** What the next call of a client meets, and how badly, in [0, 1). */
export interface Luck {
  misfortune: Misfortune | undefined;
  fraction: number;
}

export function drawLuck(random: Random, rates: Rates, operation: Operation): Luck {
  // Always two draws, so that a call's luck does not move that of all later ones.
  let luck = random.below(1_000_000);
  const fraction = random.below(1000) / 1000;
  for (const misfortune of misfortunesOf(operation)) {
    luck -= rates[misfortune] ?? 0;
    if (luck < 0) return { misfortune, fraction };
  }
  return { misfortune: undefined, fraction };
}

/** A plan for a storage that is used for one call. */
export function planOf({ misfortune, fraction }: Luck): FaultPlan {
  const kind = faultKinds.has(misfortune as FaultKind) ? (misfortune as FaultKind) : undefined;
  return {
    next: () => kind && { kind, fraction, delayMs: Math.floor(fraction * delayMsMax) },
    unmet: () => [],
  };
}

const faultKinds = new Set(Object.values(faultKindsOf).flat());
