import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import {
  CircleAlert,
  CircleCheck,
  CircleDashed,
  LoaderCircle,
  type LucideIcon,
  ShieldCheck,
} from 'lucide-react';
import type { Overview, Plan } from '#contract';
import {
  activityQuery,
  overviewQuery,
  plansQuery,
  repositoriesQuery,
  sourcesQuery,
} from '../../app/queries.ts';
import { Crumbs } from '../../app/shell.tsx';
import { Empty, ErrorCallout, Skeleton, sentence } from '../../components/notices.tsx';
import { counted, size } from '../../components/size.ts';
import { worstFirst } from '../../components/states.tsx';
import { relative, toMinutes, useNowMs } from '../../components/time.tsx';
import { PlanCard } from '../plans/plan-card.tsx';
import { stateOf } from '../plans/plan-look.ts';
import { Activity } from './activity.tsx';

const glyphs: Record<Overview['state'], { tone: string; icon: LucideIcon }> = {
  proven: { tone: 'ok', icon: ShieldCheck },
  protected: { tone: 'ok', icon: CircleCheck },
  running: { tone: 'running', icon: LoaderCircle },
  waiting: { tone: 'neutral', icon: CircleDashed },
  attention: { tone: 'warning', icon: CircleAlert },
  failing: { tone: 'failed', icon: CircleAlert },
  empty: { tone: 'neutral', icon: CircleDashed },
};

/** One sentence first, the worst state wins; then the plans, then what happened. */
export function OverviewPage() {
  const overview = useQuery(overviewQuery);
  return (
    <>
      <title>Overview · Holdfast</title>
      <Crumbs>
        <li aria-current="page">Overview</li>
      </Crumbs>
      {overview.error && (
        <ErrorCallout error={overview.error} what="The overview" onRetry={() => void overview.refetch()} />
      )}
      {overview.isPending && <Skeleton lines={4} />}
      {overview.data && <Hero overview={overview.data} />}
      {overview.data && <Stats overview={overview.data} />}
      <Plans />
      <section className="section card" aria-labelledby="activity">
        <header>
          <h2 id="activity">Activity</h2>
          <div className="end">
            <Link className="link" to="/jobs">
              All jobs
            </Link>
          </div>
        </header>
        <Recent />
      </section>
    </>
  );
}

function Hero({ overview: { state, sentence: words, reasons } }: { overview: Overview }) {
  const { tone, icon: Icon } = glyphs[state];
  const [first] = reasons;
  return (
    <section className="hero" aria-labelledby="hero">
      <span className={`glyph is-${tone}`}>
        <Icon className={state === 'running' ? 'i spin' : 'i'} aria-hidden />
      </span>
      <div className="grow">
        <h1 id="hero">{words}</h1>
        {first && (
          <p className="lead">
            {sentence(first.message)} {first.hint}
          </p>
        )}
        <div className="row wrap acts">
          <Link className="btn primary" to="/plans/new">
            {state === 'empty' ? 'Protect something' : 'New plan'}
          </Link>
          <Link className="btn" to="/plans">
            All plans
          </Link>
        </div>
      </div>
    </section>
  );
}

function Stats({ overview }: { overview: Overview }) {
  const nowMs = useNowMs();
  const repositories = useQuery(repositoriesQuery);
  const used = repositories.data?.items.map(({ status }) => status.usedBytes);
  const isKnown = used?.every((bytes) => bytes !== undefined);
  const { oldestSnapshotAgeSeconds: age, lastProvenAt, planCount, runningJobCount } = overview;
  return (
    <dl className="stats">
      <Stat name="Oldest data" note="the newest snapshot of the plan that is farthest behind">
        {age === undefined ? 'none yet' : toMinutes(age * 1000)}
      </Stat>
      <Stat name="Last proven" note="read back or restored, and right">
        {lastProvenAt ? relative(Date.parse(lastProvenAt), nowMs) : 'never'}
      </Stat>
      <Stat name="Stored" note={`in ${counted(used?.length ?? 0, 'repository', 'repositories')}`}>
        {isKnown ? size(used!.reduce<number>((sum, bytes) => sum + bytes!, 0)) : 'unknown'}
      </Stat>
      <Stat
        name="Plans"
        note={runningJobCount === 0 ? 'nothing runs now' : `${counted(runningJobCount, 'job')} under way`}
      >
        {planCount}
      </Stat>
    </dl>
  );
}

function Stat({ name, note, children }: { name: string; note: string; children: React.ReactNode }) {
  return (
    <div className="stat">
      <dt>{name}</dt>
      <dd>{children}</dd>
      <dd>{note}</dd>
    </div>
  );
}

function Plans() {
  const plans = useQuery(plansQuery);
  const sources = useQuery(sourcesQuery);
  const sorted = plans.data?.items.toSorted(byWorst) ?? [];
  return (
    <section className="section" aria-labelledby="plans">
      <div className="section-head">
        <h2 id="plans">Plans</h2>
        <span className="t3">{sorted.length}, worst first</span>
      </div>
      {plans.error && (
        <ErrorCallout error={plans.error} what="The plans" onRetry={() => void plans.refetch()} />
      )}
      {plans.data && sorted.length === 0 && (
        <Empty
          title="No plan yet"
          action={
            <Link className="btn primary" to="/plans/new">
              Protect something
            </Link>
          }
        >
          A plan says what is backed up, where to, when, and how it is proven.
        </Empty>
      )}
      <ul className="plans">
        {sorted.map((plan) => (
          <PlanCard key={plan.id} plan={plan} sources={sources.data?.items ?? []} />
        ))}
      </ul>
    </section>
  );
}

function byWorst(one: Plan, other: Plan): number {
  const rank = (plan: Plan): number => worstFirst.indexOf(stateOf(plan.status));
  return rank(one) - rank(other) || (one.name < other.name ? -1 : 1);
}

function Recent() {
  const activity = useQuery(activityQuery);
  if (activity.error) return <ErrorCallout error={activity.error} what="The activity" />;
  if (!activity.data) return <Skeleton />;
  return <Activity events={activity.data.items} />;
}
