import { lookOf, type State } from './states.tsx';

export interface StripBar {
  id: string;
  state: State;
  /** What the tooltip says. */
  title: string;
  /** Where it leads. */
  href?: string;
  /** How far a running one is, 0 to 1. */
  done?: number | undefined;
}

/** One bar a run, newest right; the shape says the state without the colour. */
export function Strip({ bars, label }: { bars: readonly StripBar[]; label: string }) {
  return (
    <span className="strip" role="img" aria-label={label}>
      {bars.map(({ id, state, title, done }) => (
        <i
          key={id}
          className={lookOf(state).bar}
          title={title}
          style={done === undefined ? undefined : { '--at': `${Math.round(done * 100)}%` }}
        />
      ))}
    </span>
  );
}
