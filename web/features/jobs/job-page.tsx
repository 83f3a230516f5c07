import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import type { JobDetail, JobProgress, Step } from '#contract';
import { api } from '../../app/api.ts';
import { jobLogQuery, jobQuery } from '../../app/queries.ts';
import { Callout, ErrorCallout, ProblemNote, Skeleton, sentence } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { counted, size } from '../../components/size.ts';
import { Badge, lookOf, type State } from '../../components/states.tsx';
import { clockTime, span, Time, useNowMs } from '../../components/time.tsx';

const bad: readonly State[] = ['failed', 'partial', 'missed', 'interrupted', 'warning'];

export function JobPage() {
  const { id } = useParams({ from: '/shell/jobs/$id' });
  const job = useQuery(jobQuery(id));
  if (job.error) return <ErrorCallout error={job.error} what="The job" onRetry={() => void job.refetch()} />;
  if (!job.data) return <Skeleton lines={6} />;
  return <Shown job={job.data} />;
}

function Shown({ job }: { job: JobDetail }) {
  const isLive = job.state === 'running' || job.state === 'queued';
  const { tone } = lookOf(job.state);
  return (
    <>
      <PageHead
        title={`${job.plan ?? job.kind}, ${job.kind}`}
        above={
          <li>
            <Link to="/jobs">Jobs</Link>
          </li>
        }
        lead={<Lead job={job} />}
        actions={
          <>
            <Badge state={job.state} />
            {isLive && <CancelButton id={job.id} />}
          </>
        }
      />
      {job.reason && bad.includes(job.state) && (
        <Callout
          tone={tone === 'ok' || tone === 'running' ? 'neutral' : tone}
          title={sentence(job.reason.message)}
        >
          {job.reason.hint && <p>{job.reason.hint}</p>}
          <p className="t3 xs">{job.reason.code}</p>
        </Callout>
      )}
      {job.waitsFor && <Callout tone="neutral" title={`It waits: ${job.waitsFor}.`} />}
      {job.progress && <Progress progress={job.progress} />}
      <div className="jobgrid">
        <section className="card" aria-labelledby="steps">
          <header>
            <h2 id="steps">Steps</h2>
          </header>
          <Steps steps={job.steps} />
        </section>
        <section className="card" aria-labelledby="log">
          <header>
            <h2 id="log">Log</h2>
          </header>
          <Log id={job.id} />
        </section>
      </div>
      <section className="section card" aria-labelledby="results">
        <header>
          <h2 id="results">Results</h2>
          <div className="end">
            <code>{job.command}</code>
          </div>
        </header>
        <Results job={job} />
      </section>
    </>
  );
}

function Lead({ job }: { job: JobDetail }) {
  const nowMs = useNowMs();
  const beganMs = job.startedAt ? Date.parse(job.startedAt) : undefined;
  const endMs = job.endedAt ? Date.parse(job.endedAt) : nowMs;
  return (
    <>
      <Time at={job.startedAt ?? job.createdAt} />
      {beganMs !== undefined && `, ${job.endedAt ? 'took' : 'for'} ${span(Math.max(0, endMs - beganMs))}`}
      {job.requestedBy && `, asked for by ${job.requestedBy}`}
      {job.attempt > 1 && `, attempt ${job.attempt}`}
    </>
  );
}

function CancelButton({ id }: { id: string }) {
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => api(`/jobs/${id}/cancel`, { method: 'POST' }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['job'] }),
  });
  return (
    <>
      <button
        type="button"
        className="btn danger-quiet"
        onClick={() => cancel.mutate()}
        disabled={cancel.isPending}
      >
        Cancel job
      </button>
      {cancel.error && <ProblemNote error={cancel.error} />}
    </>
  );
}

function Progress({ progress }: { progress: JobProgress }) {
  const { phase, bytesDone, bytesTotal, itemsDone } = progress;
  const share = bytesTotal ? Math.min(1, bytesDone / bytesTotal) : undefined;
  return (
    <div className="bigbar" role="status">
      <p>
        <span className="big num">{size(bytesDone)}</span>
        <span className="t2">
          {bytesTotal ? ` of ${size(bytesTotal)}` : ''} in {counted(itemsDone, 'file')}, {phase}
        </span>
      </p>
      {share !== undefined && (
        <div className="progress is-running">
          <i style={{ '--v': `${Math.floor(share * 100)}%` }} />
        </div>
      )}
    </div>
  );
}

function Steps({ steps }: { steps: readonly Step[] }) {
  if (steps.length === 0) return <p className="pad t2">No step has begun.</p>;
  return (
    <ol className="jobsteps">
      {steps.map((step) => (
        <StepLine key={step.name} step={step} />
      ))}
    </ol>
  );
}

function StepLine({ step: { name, state, reason, detail, startedAt, endedAt } }: { step: Step }) {
  const nowMs = useNowMs();
  const { tone, icon: Icon } = lookOf(state);
  const tookMs = startedAt ? (endedAt ? Date.parse(endedAt) : nowMs) - Date.parse(startedAt) : undefined;
  return (
    <li className={`is-${tone}${state === 'running' ? ' now' : ''}`}>
      <Icon className={state === 'running' ? 'i spin' : 'i'} aria-hidden />
      <div>
        {name}
        {(reason || detail) && <p>{reason ? sentence(reason.message) : detail}</p>}
      </div>
      {tookMs !== undefined && <time>{span(Math.max(0, tookMs))}</time>}
    </li>
  );
}

const levels = { debug: 'neutral', info: 'neutral', warning: 'warning', error: 'failed' } as const;

function Log({ id }: { id: string }) {
  const log = useQuery(jobLogQuery(id));
  const [wanted, setWanted] = useState('');
  if (log.error) return <ErrorCallout error={log.error} what="The log" onRetry={() => void log.refetch()} />;
  if (!log.data) return <Skeleton />;
  const shown = log.data.items.filter(({ message, item }) =>
    `${message} ${item ?? ''}`.toLowerCase().includes(wanted.toLowerCase()),
  );
  return (
    <>
      <div className="treehead">
        <input
          className="input"
          type="search"
          aria-label="Search the log"
          placeholder="Search the log"
          value={wanted}
          onChange={({ target }) => setWanted(target.value)}
        />
      </div>
      {shown.length === 0 && <p className="pad t2">{wanted ? `No line has "${wanted}".` : 'No line yet.'}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <ol className="log" tabIndex={0}>
        {shown.map(({ number, at, level, message, item, hint }) => (
          <li
            key={number}
            className={level === 'info' || level === 'debug' ? undefined : `is-${levels[level]}`}
          >
            <time dateTime={at}>{clockTime(Date.parse(at))}</time>
            <span className="lv">{level.slice(0, 4)}</span>
            <span className="m">
              {item && `${item}: `}
              {message}
              {hint && ` ${hint}`}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

function Results({ job: { results } }: { job: JobDetail }) {
  if (results.length === 0) return <p className="pad t2">No result yet.</p>;
  return (
    <div className="scroll-x">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Source</th>
            <th scope="col">Repository</th>
            <th scope="col">State</th>
            <th scope="col">Snapshot</th>
            <th scope="col" className="n hide-sm">
              Read
            </th>
            <th scope="col" className="n hide-sm">
              Added
            </th>
          </tr>
        </thead>
        <tbody>
          {results.map(({ source, repository, state, snapshotId, processedBytes, addedBytes }) => (
            <tr key={`${source}/${repository}/${snapshotId ?? state}`}>
              <th scope="row">{source}</th>
              <td>{repository}</td>
              <td>
                <Badge state={state} />
              </td>
              <td>
                {snapshotId && repository ? (
                  <Link
                    className="link mono"
                    to="/snapshots/$repository/$id"
                    params={{ repository, id: snapshotId }}
                  >
                    {snapshotId.slice(0, 8)}
                  </Link>
                ) : (
                  'none'
                )}
              </td>
              <td className="n dim hide-sm">{processedBytes === undefined ? '–' : size(processedBytes)}</td>
              <td className="n dim hide-sm">{addedBytes === undefined ? '–' : size(addedBytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
