import { Check, CircleX, Minus, TriangleAlert } from 'lucide-react';
import type { StorageTest } from '#contract';

const marks = {
  kept: { tone: 'ok', icon: Check },
  absent: { tone: 'neutral', icon: Minus },
  risky: { tone: 'warning', icon: TriangleAlert },
  broken: { tone: 'failed', icon: CircleX },
} as const;

const words = { kept: 'works', absent: 'absent', risky: 'works, but', broken: 'failed' };

/** One line a question, one line an answer. */
export function TestLines({ test }: { test: StorageTest }) {
  return (
    <ul className="preflight" aria-label="Test of the location">
      {test.lines.map(({ name, state, note, hint }) => {
        const { tone, icon: Icon } = marks[state];
        return (
          <li key={name} className={`is-${tone}`}>
            <Icon className="i" aria-hidden />
            <b>{name}</b>
            <span>
              {words[state]}
              {note && `: ${note}`}
            </span>
            {hint && <p className="hint">{hint}</p>}
          </li>
        );
      })}
    </ul>
  );
}
