import { type Misfortune, moods } from './misfortune.ts';
import type { SeedsSummary } from './run-seeds.ts';
import { works } from './work.ts';

/** How often in a thousand seeds each pair must be met at least, so that the simulation does not go blind unseen. */
const perThousandSeeds = 1;

/** What a piece of work hardly meets, since it makes few calls that could. */
const rare: Record<string, readonly Misfortune[]> = {
  unlock: ['fail-after', 'crash-after', 'sleep-after', 'late'],
};

const allMisfortunes = [...new Set(Object.values(moods).flatMap((rates) => Object.keys(rates)))];

/** The pairs of work and misfortune, with what was counted. */
export function pairCounts({ tally }: SeedsSummary): [string, number][] {
  return Object.keys(works).flatMap((work) =>
    ['begun', 'done', ...allMisfortunes].map((what): [string, number] => [
      `${work} × ${what}`,
      tally.of(`${work} × ${what}`),
    ]),
  );
}

/** Pairs that were met too seldom, in words. */
export function pairsUnderFloor(summary: SeedsSummary): string[] {
  const floor = Math.floor((summary.seedCount * perThousandSeeds) / 1000);
  return pairCounts(summary).flatMap(([pair, count]) => {
    const [work, what] = pair.split(' × ');
    return count < floor && !rare[work!]?.includes(what as Misfortune)
      ? [`${pair}: ${count} < ${floor}`]
      : [];
  });
}
