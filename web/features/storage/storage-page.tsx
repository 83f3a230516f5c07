import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Plus } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { Repository, SealedSecret, StorageTest } from '#contract';
import { api } from '../../app/api.ts';
import { repositoriesQuery } from '../../app/queries.ts';
import { Dialog } from '../../components/dialog.tsx';
import { Field } from '../../components/form.tsx';
import { Callout, ErrorCallout, ProblemNote, Skeleton, sentence } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { size } from '../../components/size.ts';
import { Badge, type State } from '../../components/states.tsx';
import { Time } from '../../components/time.tsx';
import { TestLines } from './test-lines.tsx';

export function StoragePage() {
  const [isAdding, setAdding] = useState(false);
  const repositories = useQuery(repositoriesQuery);
  return (
    <>
      <PageHead
        title="Storage"
        lead="Repositories: encrypted, deduplicated stores in a folder, a bucket or on another host. restic can open each of them."
        actions={
          <button type="button" className="btn primary" onClick={() => setAdding(true)}>
            <Plus className="i" aria-hidden />
            Add repository
          </button>
        }
      />
      {repositories.error && (
        <ErrorCallout
          error={repositories.error}
          what="The repositories"
          onRetry={() => void repositories.refetch()}
        />
      )}
      {repositories.isPending && <Skeleton lines={6} />}
      <ul className="stack">
        {repositories.data?.items.map((repository) => (
          <RepositoryCard key={repository.id} repository={repository} />
        ))}
      </ul>
      {isAdding && <AddRepository onClose={() => setAdding(false)} />}
    </>
  );
}

const states: Record<Repository['status']['state'], State> = {
  ready: 'ready',
  absent: 'failed',
  locked: 'warning',
  unreachable: 'missed',
  'wrong-password': 'failed',
  damaged: 'failed',
  unknown: 'unknown',
};

function RepositoryCard({ repository: { name, spec, status, plans } }: { repository: Repository }) {
  const client = useQueryClient();
  const look = useMutation({
    mutationFn: () => api(`/repositories/${name}/look`, { method: 'POST' }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['repository'] }),
  });
  return (
    <li className="card">
      <header>
        <h2>{name}</h2>
        <span className="t3 mono ellipsis">{spec.location}</span>
        <div className="end">
          <Badge state={states[status.state]} />
          <button type="button" className="btn sm" onClick={() => look.mutate()} disabled={look.isPending}>
            Look again
          </button>
        </div>
      </header>
      <div className="pad stack">
        {status.reason && (
          <Callout tone="failed" title={sentence(status.reason.message)}>
            {status.reason.hint && <p>{status.reason.hint}</p>}
          </Callout>
        )}
        {status.isOnThisMachine && (
          <Callout tone="warning" title="It lies on this machine.">
            <p>
              When the machine is lost, so is what is in it. Add a repository in a bucket or on another host.
            </p>
          </Callout>
        )}
        <dl className="facts">
          <div>
            <dt>Snapshots</dt>
            <dd>{status.snapshotCount ?? 'unknown'}</dd>
          </div>
          <div>
            <dt>Takes</dt>
            <dd>{size(status.usedBytes)}</dd>
          </div>
          <div>
            <dt>Free there</dt>
            <dd>{size(status.freeBytes)}</dd>
          </div>
          <div>
            <dt>Looked at</dt>
            <dd>{status.seenAt ? <Time at={status.seenAt} /> : 'never'}</dd>
          </div>
          <div>
            <dt>Plans</dt>
            <dd>{plans.length === 0 ? 'none' : plans.join(', ')}</dd>
          </div>
        </dl>
        {look.error && <ProblemNote error={look.error} />}
      </div>
    </li>
  );
}

/** A location and a password; the test does there what backups do. */
function AddRepository({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [location, setLocation] = useState('');
  const test = useMutation({
    mutationFn: () => api<StorageTest>('/storage/test', { method: 'POST', body: { location } }),
  });
  const add = useMutation({
    mutationFn: async (form: FormData) => {
      const secret = await api<SealedSecret>('/secrets', {
        method: 'POST',
        body: { secret: form.get('password') },
      });
      const spec = { location, password: secret.reference };
      return api<Repository>('/repositories', { method: 'POST', body: { name: form.get('name'), spec } });
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['repository'] });
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    add.mutate(new FormData(event.currentTarget));
  };
  return (
    <Dialog title="Add a repository" onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        <Field label="Name" name="name" required pattern="[a-z0-9][a-z0-9._\-]*" placeholder="offsite" />
        <Field
          label="Location"
          required
          value={location}
          onChange={({ target }) => setLocation(target.value)}
          placeholder="s3:https://host/bucket/prefix"
          help="A folder, s3:https://host/bucket/prefix or sftp:user@host:/path. An existing restic repository is adopted."
        />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="new-password"
          required
          help="It encrypts everything, and nobody can restore it: keep it in the recovery kit too."
        />
        {test.data && <TestLines test={test.data} />}
        {(test.error ?? add.error) && <ProblemNote error={(test.error ?? add.error)!} />}
        <div className="row acts">
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
          <button
            type="button"
            className="btn"
            onClick={() => test.mutate()}
            disabled={!location || test.isPending}
          >
            {test.isPending ? 'Testing…' : 'Test location'}
          </button>
          <button type="submit" className="btn primary" disabled={add.isPending}>
            Add repository
          </button>
        </div>
      </form>
    </Dialog>
  );
}
