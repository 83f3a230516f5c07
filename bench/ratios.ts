import type { DataName } from './data.ts';
import { type Cost, median } from './measure.ts';

export type Step = 'first' | 'unchanged' | 'changed 1 %' | 'restore' | 'check, all data' | 'prune of half';

export interface Measured {
  costs: Cost[];
  storedMiB: number;
}

interface Aim {
  cpu?: number;
  wall?: number;
  rssMiB?: number;
}

const firstAims: Record<DataName, { verified: Aim; plain: Aim }> = {
  json: { verified: { cpu: 0.72, rssMiB: 160 }, plain: { cpu: 0.5, rssMiB: 160 } },
  random: { verified: { cpu: 0.72, rssMiB: 160 }, plain: { cpu: 0.7, rssMiB: 160 } },
  small: { verified: { cpu: 0.75, rssMiB: 160 }, plain: { rssMiB: 160 } },
};
const otherAims: Partial<Record<Step, Aim>> = {
  unchanged: { wall: 0.8 },
  restore: { wall: 0.7 },
  'check, all data': { wall: 0.7 },
};

/** Rows of a table for RESULTS.md: ratios of medians to the other tool's, each beside its aim. */
export function ratioRows(pair: {
  name: DataName;
  verifies: boolean;
  ours: ReadonlyMap<Step, Measured>;
  theirs: ReadonlyMap<Step, Measured>;
}): string[] {
  return [...pair.ours].map(([step, measured]) => {
    const peer = pair.theirs.get(step)!;
    const of = ({ costs }: Measured, fact: keyof Cost): number => median(costs.map((cost) => cost[fact]));
    const ratio = (fact: keyof Cost): string => (of(measured, fact) / of(peer, fact)).toFixed(2);
    const aim =
      step === 'first' ? firstAims[pair.name][pair.verifies ? 'verified' : 'plain'] : otherAims[step];
    const cells = [
      pair.name,
      pair.verifies ? step : `${step}, no verify`,
      ratio('cpuSeconds'),
      aim?.cpu ?? '',
      ratio('wallSeconds'),
      aim?.wall ?? '',
      of(measured, 'rssMiB').toFixed(0),
      of(peer, 'rssMiB').toFixed(0),
      aim?.rssMiB ?? '',
    ];
    return `| ${cells.join(' | ')} |`;
  });
}
