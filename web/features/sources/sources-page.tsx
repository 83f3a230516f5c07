import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Source } from '#contract';
import { sourcesQuery } from '../../app/queries.ts';
import { Empty, ErrorCallout, Skeleton } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { Badge } from '../../components/states.tsx';
import { Time } from '../../components/time.tsx';

export function SourcesPage() {
  const sources = useQuery(sourcesQuery);
  const protect = (
    <Link className="btn primary" to="/plans/new">
      Protect something
    </Link>
  );
  return (
    <>
      <PageHead title="Sources" lead="What is protected: files, databases, buckets." actions={protect} />
      {sources.error && (
        <ErrorCallout error={sources.error} what="The sources" onRetry={() => void sources.refetch()} />
      )}
      {sources.isPending && <Skeleton lines={4} />}
      {sources.data && (
        <div className="card">
          {sources.data.items.length === 0 ? (
            <Empty title="No source yet" action={protect}>
              A source is what is protected: a folder, a database, a bucket.
            </Empty>
          ) : (
            <div className="scroll-x">
              <table className="table">
                <thead>
                  <tr>
                    <th scope="col">Source</th>
                    <th scope="col">What</th>
                    <th scope="col">Protected by</th>
                    <th scope="col">Last snapshot</th>
                  </tr>
                </thead>
                <tbody>
                  {sources.data.items.map((source) => (
                    <Row key={source.id} source={source} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </div>
      )}
    </>
  );
}

function Row({ source: { name, spec, plans, lastSnapshotAt } }: { source: Source }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td className="dim">{whatOf(spec)}</td>
      <td>{plans.length === 0 ? <Badge state="warning" note="by no plan" /> : plans.join(', ')}</td>
      <td className="dim">{lastSnapshotAt ? <Time at={lastSnapshotAt} /> : 'none yet'}</td>
    </tr>
  );
}

function whatOf(spec: Source['spec']): string {
  switch (spec.kind) {
    case 'files':
      return spec.paths.join(', ');
    case 'mongodb':
      return `MongoDB at ${spec.url}`;
    case 'bucket':
      return spec.location;
    case 'command':
      return spec.run.join(' ');
  }
}
