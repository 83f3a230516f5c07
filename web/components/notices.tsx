import { CircleX, Info, type LucideIcon, TriangleAlert } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { isProblem } from '../app/api.ts';
import { texts } from '../texts/en.ts';

interface CalloutProps {
  tone: 'failed' | 'warning' | 'partial' | 'missed' | 'neutral' | 'running';
  title: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
}

const icons: Partial<Record<CalloutProps['tone'], LucideIcon>> = {
  failed: CircleX,
  neutral: Info,
  running: Info,
};

/** Stands where the problem is: what happened, why, what to do. */
export function Callout({ tone, title, children, action }: CalloutProps) {
  const Icon = icons[tone] ?? TriangleAlert;
  return (
    <div className={`callout is-${tone}`} role={tone === 'failed' ? 'alert' : 'note'}>
      <Icon className="i" aria-hidden />
      <div>
        <strong>{title}</strong>
        {children}
      </div>
      {action && <div className="act">{action}</div>}
    </div>
  );
}

/** What could not be shown, in the place of the content; the rest of the page goes on. */
export function ErrorCallout({ error, what, onRetry }: { error: Error; what: string; onRetry?: () => void }) {
  const problem = isProblem(error) ? error.problem : undefined;
  return (
    <Callout
      tone="failed"
      title={`${what} could not be shown.`}
      action={
        onRetry && (
          <button type="button" className="btn sm" onClick={onRetry}>
            {texts.retry}
          </button>
        )
      }
    >
      <p>{problem ? sentence(problem.detail ?? problem.title) : 'The server does not answer.'}</p>
      {problem?.hint && <p className="hint">{problem.hint}</p>}
      {problem && (
        <details>
          <summary>{texts.theyAnswered}</summary>
          <code>
            {problem.code} ({problem.status})
          </code>
        </details>
      )}
    </Callout>
  );
}

/** What the server said no to, beside the button that asked. */
export function ProblemNote({ error }: { error: Error }) {
  const problem = isProblem(error) ? error.problem : undefined;
  const faults = problem?.errors ?? [];
  return (
    <Callout tone="failed" title={problem ? sentence(problem.detail) : 'The server does not answer.'}>
      {problem?.hint && <p>{problem.hint}</p>}
      {faults.map(({ path, message }) => (
        <p key={path}>
          <code>{path}</code> {message}
        </p>
      ))}
    </Callout>
  );
}

/** Messages come in lower case and without a point. */
export function sentence(message: string): string {
  const first = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** What the thing is, and the one next action. */
export function Empty({
  title,
  children,
  action,
}: {
  title: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="empty">
      <svg
        className="pic"
        width="72"
        height="48"
        viewBox="0 0 72 48"
        fill="none"
        stroke="currentColor"
        aria-hidden
      >
        <path d="M8 40h56M14 40V18h44v22M22 18v-8h28v8" strokeWidth="1.4" strokeLinejoin="round" />
        <path d="M22 28h28M22 34h18" strokeWidth="1.4" strokeLinecap="round" strokeDasharray="3 4" />
      </svg>
      <h2>{title}</h2>
      <p>{children}</p>
      {action}
    </div>
  );
}

/** Nothing for 300 ms, then lines of the size that the content will have. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  const [isShown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="pad stack" aria-busy="true" style={{ visibility: isShown ? 'visible' : 'hidden' }}>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have nothing else, and never move
        <span key={line} className="skel" style={{ '--w': `${90 - ((line * 23) % 50)}%` }} />
      ))}
    </div>
  );
}
