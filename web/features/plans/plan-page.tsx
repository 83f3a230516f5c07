import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { Play, ShieldCheck } from 'lucide-react';
import type { Job, Plan } from '#contract';
import { api } from '../../app/api.ts';
import { jobsQuery, planQuery, snapshotsQuery } from '../../app/queries.ts';
import { Callout, ErrorCallout, ProblemNote, Skeleton, sentence } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { Badge } from '../../components/states.tsx';
import { relative, useNowMs } from '../../components/time.tsx';
import { JobsTable } from '../jobs/jobs-page.tsx';
import { SnapshotRows } from '../snapshots/snapshot-rows.tsx';
import { PlanStrip } from './plan-card.tsx';
import { stateOf, subjectOf } from './plan-look.ts';

export function PlanPage() {
  const { name } = useParams({ from: '/shell/plans/$name' });
  const plan = useQuery(planQuery(name));
  if (plan.error)
    return <ErrorCallout error={plan.error} what="The plan" onRetry={() => void plan.refetch()} />;
  if (!plan.data) return <Skeleton lines={6} />;
  return <Shown plan={plan.data} />;
}

function Shown({ plan }: { plan: Plan }) {
  const { name, status } = plan;
  return (
    <>
      <PageHead
        title={name}
        above={
          <li>
            <Link to="/plans">Plans</Link>
          </li>
        }
        lead={subjectOf(plan)}
        actions={
          <>
            <Badge state={stateOf(status)} />
            {plan.spec.kind === 'backup' && <RunButton plan={name} kind="drill" />}
            <RunButton plan={name} kind="backup" />
          </>
        }
      />
      <div className="stack">
        {status.reasons.map(({ code, message, hint }) => (
          <Callout key={code} tone="warning" title={sentence(message)}>
            {hint && <p>{hint}</p>}
          </Callout>
        ))}
        <div className="card pad stack">
          <PlanStrip plan={plan} />
          <NextRuns plan={plan} />
        </div>
        <Snapshots plan={name} />
        <Jobs plan={name} />
        <section className="card" aria-labelledby="spec">
          <header>
            <h2 id="spec">Configuration</h2>
            <div className="end">
              {plan.origin.from === 'file' ? `from holdfast.yaml, line ${plan.origin.line}` : ''}
            </div>
          </header>
          <pre className="code">{JSON.stringify(plan.spec, null, 2)}</pre>
        </section>
      </div>
    </>
  );
}

const runs = {
  backup: { words: 'Run now', icon: Play, className: 'btn primary' },
  drill: { words: 'Drill now', icon: ShieldCheck, className: 'btn' },
} as const;

/** Starts a run and goes to its job. A drill restores the newest snapshot into a throw-away place and compares. */
function RunButton({ plan, kind }: { plan: string; kind: keyof typeof runs }) {
  const { words, icon: Icon, className } = runs[kind];
  const client = useQueryClient();
  const navigate = useNavigate();
  const run = useMutation({
    mutationFn: () =>
      api<Job>(`/plans/${plan}/runs`, { method: 'POST', body: kind === 'backup' ? {} : { kind } }),
    onSuccess: async ({ id }) => {
      await client.invalidateQueries({ queryKey: ['job'] });
      await navigate({ to: '/jobs/$id', params: { id } });
    },
  });
  return (
    <>
      <button type="button" className={className} onClick={() => run.mutate()} disabled={run.isPending}>
        <Icon className="i" aria-hidden />
        {words}
      </button>
      {run.error && <ProblemNote error={run.error} />}
    </>
  );
}

function NextRuns({ plan: { status } }: { plan: Plan }) {
  const nowMs = useNowMs();
  if (status.nextRuns.length === 0)
    return <p className="t2">It has no schedule: it runs when somebody asks.</p>;
  return (
    <div className="nextfive">
      <h2 className="label">Next runs</h2>
      <ol>
        {status.nextRuns.map((at) => (
          <li key={at}>
            <b>
              {new Date(at).toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' })}
            </b>
            <span>{new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}</span>
            <small>{relative(Date.parse(at), nowMs)}</small>
          </li>
        ))}
      </ol>
    </div>
  );
}

function Snapshots({ plan }: { plan: string }) {
  const snapshots = useQuery(snapshotsQuery({ plan }));
  return (
    <section className="card" aria-labelledby="snapshots">
      <header>
        <h2 id="snapshots">Snapshots</h2>
      </header>
      {snapshots.error && <ErrorCallout error={snapshots.error} what="The snapshots" />}
      {snapshots.data?.items.length === 0 && <p className="pad t2">None yet.</p>}
      {snapshots.data && <SnapshotRows snapshots={snapshots.data.items.slice(0, 10)} />}
    </section>
  );
}

function Jobs({ plan }: { plan: string }) {
  const jobs = useQuery(jobsQuery({ plan }));
  return (
    <section className="card" aria-labelledby="jobs">
      <header>
        <h2 id="jobs">Jobs</h2>
      </header>
      {jobs.error && <ErrorCallout error={jobs.error} what="The jobs" />}
      {jobs.data?.items.length === 0 && <p className="pad t2">None yet.</p>}
      {jobs.data && jobs.data.items.length > 0 && <JobsTable jobs={jobs.data.items.slice(0, 10)} />}
    </section>
  );
}
