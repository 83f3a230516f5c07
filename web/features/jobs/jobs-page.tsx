import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Job } from '#contract';
import { jobsQuery } from '../../app/queries.ts';
import { Empty, ErrorCallout, Skeleton } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { size } from '../../components/size.ts';
import { Badge } from '../../components/states.tsx';
import { span, Time, useNowMs } from '../../components/time.tsx';

export function JobsPage() {
  const jobs = useQuery(jobsQuery({}));
  return (
    <>
      <PageHead title="Jobs" lead="Each execution of work: when it ran, how it ended, and why." />
      {jobs.error && <ErrorCallout error={jobs.error} what="The jobs" onRetry={() => void jobs.refetch()} />}
      {jobs.isPending && <Skeleton lines={6} />}
      {jobs.data && (
        <div className="card">
          {jobs.data.items.length === 0 ? (
            <Empty title="No job yet">A job is one execution of work: a backup, a check, a restore.</Empty>
          ) : (
            <JobsTable jobs={jobs.data.items} />
          )}
        </div>
      )}
    </>
  );
}

export function JobsTable({ jobs }: { jobs: readonly Job[] }) {
  return (
    <div className="scroll-x">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">State</th>
            <th scope="col">Began</th>
            <th scope="col" className="n hide-sm">
              Took
            </th>
            <th scope="col" className="n hide-sm">
              Added
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <Row key={job.id} job={job} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ job }: { job: Job }) {
  const nowMs = useNowMs();
  const added = job.results.map(({ addedBytes }) => addedBytes).filter((bytes) => bytes !== undefined);
  const endMs = job.endedAt ? Date.parse(job.endedAt) : nowMs;
  return (
    <tr>
      <th scope="row">
        <Link to="/jobs/$id" params={{ id: job.id }}>
          {job.plan ?? job.kind}
        </Link>
        <span className="t3"> {job.kind}</span>
      </th>
      <td>
        <Badge state={job.state} />
      </td>
      <td className="dim">
        <Time at={job.startedAt ?? job.createdAt} />
      </td>
      <td className="n dim hide-sm">
        {job.startedAt ? span(Math.max(0, endMs - Date.parse(job.startedAt))) : 'not begun'}
      </td>
      <td className="n dim hide-sm">
        {added.length > 0 ? size(added.reduce((sum, bytes) => sum + bytes, 0)) : '–'}
      </td>
    </tr>
  );
}
