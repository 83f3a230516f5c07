import { Link } from '@tanstack/react-router';
import type { Plan, Source } from '#contract';
import { Badge } from '../../components/states.tsx';
import { Strip } from '../../components/strip.tsx';
import { relative, toMinutes, useNowMs } from '../../components/time.tsx';
import { texts } from '../../texts/en.ts';
import { iconOf, stateOf, subjectOf } from './plan-look.ts';

const strip = 30;

/** Kind, name, badge · last runs · age of its objective · last proven · next run. */
export function PlanCard({ plan, sources }: { plan: Plan; sources: readonly Source[] }) {
  const { status } = plan;
  const state = stateOf(status);
  const Icon = iconOf(plan, sources);
  return (
    <li className={`card plan is-${state}`}>
      <div className="pad">
        <div className="row top">
          <span className="kind">
            <Icon className="i" aria-hidden />
          </span>
          <div className="grow">
            <h3 className="ellipsis">
              <Link to="/plans/$name" params={{ name: plan.name }}>
                {plan.name}
              </Link>
            </h3>
            <p className="t2 xs ellipsis">{subjectOf(plan)}</p>
          </div>
          <Badge state={state} />
        </div>
        <PlanStrip plan={plan} />
        <PlanFacts plan={plan} />
      </div>
    </li>
  );
}

/** The last runs, and empty places before the first. */
export function PlanStrip({ plan }: { plan: Plan }) {
  const { recent } = plan.status;
  const empty = Array.from({ length: Math.max(0, strip - recent.length) }, (_, place) => ({
    id: `empty-${place}`,
    state: 'unknown' as const,
    title: 'No run yet',
  }));
  const bars = recent.map(({ jobId, state, at, isDrilled }) => ({
    id: jobId,
    state: isDrilled ? ('proven' as const) : state,
    title: `${new Date(at).toLocaleString('en-GB')}: ${texts.state[state].toLowerCase()}`,
  }));
  const bad = recent.filter(({ state }) => state !== 'succeeded').length;
  const label = `Last ${recent.length} runs: ${recent.length - bad} succeeded, ${bad} did not`;
  return <Strip bars={[...empty, ...bars]} label={label} />;
}

function PlanFacts({ plan: { spec, status } }: { plan: Plan }) {
  const nowMs = useNowMs();
  const newestMs = status.newestSnapshotAt ? Date.parse(status.newestSnapshotAt) : undefined;
  const [next] = status.nextRuns;
  return (
    <dl className="facts three">
      <div>
        <dt>Age</dt>
        <dd className={status.isLate ? 'late' : undefined}>
          {newestMs === undefined ? 'none yet' : toMinutes(nowMs - newestMs)}
          {spec.objective && <small>of at most {spec.objective}</small>}
        </dd>
      </div>
      <div>
        <dt>Last proven</dt>
        <dd>
          {status.lastProvenAt ? relative(Date.parse(status.lastProvenAt), nowMs) : 'never'}
          <small>{status.lastProvenAt ? 'read back' : 'stored only'}</small>
        </dd>
      </div>
      <div>
        <dt>Next run</dt>
        <dd>
          {next
            ? new Date(next).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
            : 'by hand'}
          <small>{next ? relative(Date.parse(next), nowMs) : 'no schedule'}</small>
        </dd>
      </div>
    </dl>
  );
}
