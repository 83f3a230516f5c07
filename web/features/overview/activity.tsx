import { Link } from '@tanstack/react-router';
import type { Event } from '#contract';
import { sentence } from '../../components/notices.tsx';
import { lookOf, type State } from '../../components/states.tsx';

/** Events, newest first, with their days. */
export function Activity({ events }: { events: readonly Event[] }) {
  const days = Map.groupBy(events, ({ at }) =>
    new Date(at).toLocaleDateString('en-GB', { dateStyle: 'medium' }),
  );
  if (events.length === 0) return <p className="pad t2">Nothing has happened yet.</p>;
  return (
    <ul className="events">
      {[...days].flatMap(([day, ofDay], index) => [
        ...(index > 0
          ? [
              <li key={day} className="day">
                {day}
              </li>,
            ]
          : []),
        ...ofDay.map((event) => <Line key={event.id} event={event} />),
      ])}
    </ul>
  );
}

const severities: Record<Event['severity'], State> = {
  info: 'succeeded',
  warning: 'warning',
  error: 'failed',
  critical: 'failed',
};

function Line({ event: { at, type, severity, message, hint, jobId } }: { event: Event }) {
  const named = type.replace(/^job\./, '');
  const { tone, icon: Icon } = lookOf(isState(named) ? named : severities[severity]);
  const words = sentence(message);
  return (
    <li className={`is-${tone}`}>
      <time dateTime={at} title={new Date(at).toLocaleString('en-GB')}>
        {new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}
      </time>
      <Icon className="i" aria-hidden />
      <div>
        {jobId ? (
          <Link to="/jobs/$id" params={{ id: jobId }}>
            {words}
          </Link>
        ) : (
          words
        )}
        {hint && <small>{hint}</small>}
      </div>
    </li>
  );
}

function isState(text: string): text is State {
  return ['succeeded', 'warning', 'partial', 'failed', 'missed', 'interrupted', 'cancelled'].includes(text);
}
