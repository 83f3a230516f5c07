import {
  Ban,
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleDotDashed,
  CircleX,
  Hourglass,
  LoaderCircle,
  type LucideIcon,
  ShieldCheck,
  TriangleAlert,
  Unplug,
} from 'lucide-react';
import { texts } from '../texts/en.ts';

/** Job states of the product (one list, in API, dashboard, command line), and what proof adds to the good one. */
export type State = keyof typeof looks;

interface Look {
  tone: 'ok' | 'running' | 'warning' | 'partial' | 'failed' | 'missed' | 'neutral';
  icon: LucideIcon;
  /** Which bar of the run strip. */
  bar: '' | 'd' | 'w' | 'p' | 'f' | 'm' | 'x' | 'r' | 'e';
}

const looks = {
  queued: { tone: 'neutral', icon: Hourglass, bar: 'e' },
  running: { tone: 'running', icon: LoaderCircle, bar: 'r' },
  succeeded: { tone: 'ok', icon: CircleCheck, bar: '' },
  proven: { tone: 'ok', icon: ShieldCheck, bar: 'd' },
  ready: { tone: 'ok', icon: CircleCheck, bar: '' },
  warning: { tone: 'warning', icon: TriangleAlert, bar: 'w' },
  partial: { tone: 'partial', icon: CircleAlert, bar: 'p' },
  failed: { tone: 'failed', icon: CircleX, bar: 'f' },
  missed: { tone: 'missed', icon: CircleDashed, bar: 'm' },
  interrupted: { tone: 'neutral', icon: Unplug, bar: 'x' },
  cancelled: { tone: 'neutral', icon: Ban, bar: 'x' },
  unknown: { tone: 'neutral', icon: CircleDotDashed, bar: 'e' },
} satisfies Record<string, Look>;

export function lookOf(state: State): Look {
  return looks[state];
}

/** The worst first: what a page says when several things are in several states. */
export const worstFirst: readonly State[] = [
  'failed',
  'missed',
  'partial',
  'interrupted',
  'warning',
  'unknown',
  'cancelled',
  'running',
  'queued',
  'succeeded',
  'proven',
];

/** A state as a word, a shape and a tint. One per row, never for decoration. */
export function Badge({ state, note }: { state: State; note?: string }) {
  const { tone, icon: Icon } = looks[state];
  return (
    <span className={`badge is-${tone}`}>
      <Icon className={state === 'running' ? 'i spin' : 'i'} aria-hidden />
      {note ? `${texts.state[state]} · ${note}` : texts.state[state]}
    </span>
  );
}
