import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import type { Job, RestoreInput, Snapshot } from '#contract';
import { api, isProblem } from '../../app/api.ts';
import { snapshotQuery } from '../../app/queries.ts';
import { Field } from '../../components/form.tsx';
import { ErrorCallout, ProblemNote, Skeleton } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';

/** What → where → conflicts → dry run → for real; the result is a job, with its proof. */
export function RestorePage() {
  const { repository, id } = useParams({ from: '/shell/snapshots/$repository/$id/restore' });
  const snapshot = useQuery(snapshotQuery(repository, id));
  if (snapshot.error)
    return (
      <ErrorCallout error={snapshot.error} what="The snapshot" onRetry={() => void snapshot.refetch()} />
    );
  if (!snapshot.data) return <Skeleton lines={6} />;
  return <RestoreForm snapshot={snapshot.data} />;
}

type Overwrite = NonNullable<RestoreInput['overwrite']>;

const policies: { overwrite: Overwrite; name: string; note: string }[] = [
  { overwrite: 'never', name: 'Leave what is there', note: 'Only what is missing is written.' },
  { overwrite: 'if-changed', name: 'Replace what differs', note: 'Files that are as in the snapshot stay.' },
  { overwrite: 'always', name: 'Replace everything', note: 'Each file is written again.' },
];

interface Draft {
  path: string;
  target: string;
  overwrite: Overwrite;
  verify: boolean;
  confirm: string;
}

function RestoreForm({ snapshot }: { snapshot: Snapshot }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [draft, setDraft] = useState<Draft>({
    path: '',
    target: '',
    overwrite: 'never',
    verify: true,
    confirm: '',
  });
  const change = (part: Partial<Draft>): void => setDraft({ ...draft, ...part });
  const restore = useMutation({
    mutationFn: (dryRun: boolean) =>
      api<Job>('/restores', { method: 'POST', body: { ...inputOf(snapshot, draft), dryRun } }),
    onSuccess: async ({ id }) => {
      await client.invalidateQueries({ queryKey: ['job'] });
      await navigate({ to: '/jobs/$id', params: { id } });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    restore.mutate(false);
  };
  const needsConfirm = isProblem(restore.error) && restore.error.problem.code.includes('confirm');
  return (
    <>
      <PageHead
        title="Restore"
        above={
          <>
            <li>
              <Link to="/snapshots">Snapshots</Link>
            </li>
            <li>
              <Link
                to="/snapshots/$repository/$id"
                params={{ repository: snapshot.repository, id: snapshot.id }}
              >
                {snapshot.name ?? snapshot.hostname}
              </Link>
            </li>
          </>
        }
        lead={`${snapshot.name ?? snapshot.hostname}, as it was on ${new Date(snapshot.takenAt).toLocaleString('en-GB', { dateStyle: 'full', timeStyle: 'short' })}.`}
      />
      <form className="withside wiz" onSubmit={submit}>
        <div className="stack loose">
          <Where draft={draft} change={change} />
          <Conflicts draft={draft} change={change} needsConfirm={needsConfirm} />
          {restore.error && <ProblemNote error={restore.error} />}
          <div className="row wrap">
            <button type="submit" className="btn primary lg" disabled={restore.isPending}>
              Restore
            </button>
            <button
              type="button"
              className="btn lg"
              disabled={restore.isPending || draft.target === ''}
              onClick={() => restore.mutate(true)}
            >
              Only tell what would happen
            </button>
          </div>
        </div>
        <aside className="side stack">
          <h2 className="label">The same in a terminal</h2>
          <pre className="code">{commandOf(snapshot, draft)}</pre>
        </aside>
      </form>
    </>
  );
}

interface PartProps {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

function Where({ draft, change }: PartProps) {
  return (
    <fieldset className="stack">
      <legend className="wz-head">
        <h2>What, and where to</h2>
      </legend>
      <Field
        label="Only this path of the snapshot"
        value={draft.path}
        onChange={({ target }) => change({ path: target.value })}
        placeholder="everything"
      />
      <Field
        label="Into"
        required
        value={draft.target}
        onChange={({ target }) => change({ target: target.value })}
        placeholder="/srv/restored"
        help="A folder of the machine that the server runs on, best a new one; or the address of a database, such as mongodb://db/."
      />
      <label className="check">
        <input
          type="checkbox"
          checked={draft.verify}
          onChange={({ target }) => change({ verify: target.checked })}
        />
        read every restored file back and compare it with the snapshot
      </label>
    </fieldset>
  );
}

function Conflicts({ draft, change, needsConfirm }: PartProps & { needsConfirm: boolean }) {
  return (
    <fieldset className="stack">
      <legend className="wz-head">
        <h2>Where something is there already</h2>
      </legend>
      <div className="choices2">
        {policies.map(({ overwrite, name, note }) => (
          <label key={overwrite} className="choice">
            <input
              type="radio"
              name="overwrite"
              checked={draft.overwrite === overwrite}
              onChange={() => change({ overwrite })}
            />
            <b>{name}</b>
            <small>{note}</small>
          </label>
        ))}
      </div>
      {(draft.overwrite !== 'never' || needsConfirm) && (
        <Field
          label="Type the target again, because what is there may be overwritten"
          value={draft.confirm}
          onChange={({ target }) => change({ confirm: target.value })}
          autoComplete="off"
        />
      )}
    </fieldset>
  );
}

function inputOf(
  { repository, id }: Snapshot,
  { path, target, overwrite, verify, confirm }: Draft,
): RestoreInput {
  return {
    repository,
    snapshotId: id,
    target,
    overwrite,
    ...(target.startsWith('/') && { verify }),
    ...(path && { path }),
    ...(confirm && { confirm }),
  };
}

function commandOf({ id, repository }: Snapshot, { path, target, overwrite, verify }: Draft): string {
  const what = path ? `${id.slice(0, 8)}:${path}` : id.slice(0, 8);
  const options = [
    `--target ${target || '/srv/restored'}`,
    `--overwrite ${overwrite}`,
    ...(verify ? ['--verify'] : []),
  ];
  return `# repository ${repository}\nholdfast restore ${what} \\\n  ${options.join(' \\\n  ')}`;
}
