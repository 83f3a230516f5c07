import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { repositoriesQuery, snapshotsQuery } from '../../app/queries.ts';
import { Empty, ErrorCallout, Skeleton } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { SnapshotRows } from './snapshot-rows.tsx';

export function SnapshotsPage() {
  const [repository, setRepository] = useState('');
  const [trash, setTrash] = useState(false);
  const repositories = useQuery(repositoriesQuery);
  const snapshots = useQuery(snapshotsQuery({ ...(repository && { repository }), trash }));
  return (
    <>
      <PageHead
        title="Snapshots"
        lead="The state of a source at one time. Open one to look inside, download or restore."
      />
      <div className="card">
        <div className="treehead">
          <label className="row">
            <span className="t2">Repository</span>
            <select
              className="select sm"
              value={repository}
              onChange={({ target }) => setRepository(target.value)}
            >
              <option value="">all of them</option>
              {repositories.data?.items.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label className="check">
            <input type="checkbox" checked={trash} onChange={({ target }) => setTrash(target.checked)} />
            with the trash
          </label>
        </div>
        {snapshots.error && (
          <ErrorCallout
            error={snapshots.error}
            what="The snapshots"
            onRetry={() => void snapshots.refetch()}
          />
        )}
        {snapshots.isPending && <Skeleton lines={6} />}
        {snapshots.data?.items.length === 0 && (
          <Empty title="No snapshot here">Each run of a plan makes one in each of its repositories.</Empty>
        )}
        <h2 className="vh">Snapshots by day</h2>
        {snapshots.data && <SnapshotRows snapshots={snapshots.data.items} />}
      </div>
    </>
  );
}
