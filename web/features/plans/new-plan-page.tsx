import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import type { Plan, Repository, Source } from '#contract';
import { api, isProblem } from '../../app/api.ts';
import { repositoriesQuery } from '../../app/queries.ts';
import { Field } from '../../components/form.tsx';
import { Callout, ErrorCallout, ProblemNote } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';

type Kind = 'files' | 'mongodb';

interface Draft {
  name: string;
  kind: Kind;
  /** A path, or the address of a database. */
  what: string;
  repositories: string[];
  at: string;
  daily: number;
  weekly: number;
  monthly: number;
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What → where to → when → how long; the same as YAML always in view. */
export function NewPlanPage() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const repositories = useQuery(repositoriesQuery);
  const [draft, setDraft] = useState<Draft>({
    name: '',
    kind: 'files',
    what: '',
    repositories: [],
    at: '02:30',
    daily: 7,
    weekly: 4,
    monthly: 6,
  });
  const change = (part: Partial<Draft>): void => setDraft({ ...draft, ...part });
  const make = useMutation({
    mutationFn: () => makePlan(draft),
    onSuccess: async ({ name }) => {
      await client.invalidateQueries();
      await navigate({ to: '/plans/$name', params: { name } });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    make.mutate();
  };
  return (
    <>
      <PageHead
        title="New plan"
        above={
          <li>
            <Link to="/plans">Plans</Link>
          </li>
        }
        lead="What is backed up, where to, when, and how long it is kept."
      />
      <form className="withside wiz" onSubmit={submit}>
        <div className="stack loose">
          <What draft={draft} change={change} />
          {repositories.error && <ErrorCallout error={repositories.error} what="The repositories" />}
          <Where draft={draft} change={change} repositories={repositories.data?.items ?? []} />
          <When draft={draft} change={change} />
          {make.error && <ProblemNote error={make.error} />}
          <div className="row">
            <button
              type="submit"
              className="btn primary lg"
              disabled={make.isPending || draft.repositories.length === 0}
            >
              {make.isPending ? 'Looking at it…' : 'Make the plan'}
            </button>
            <Link className="btn ghost" to="/plans">
              Cancel
            </Link>
          </div>
        </div>
        <aside className="side stack">
          <h2 className="label">The same in holdfast.yaml</h2>
          <pre className="code">{yamlOf(draft)}</pre>
        </aside>
      </form>
    </>
  );
}

interface PartProps {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

function What({ draft, change }: PartProps) {
  return (
    <fieldset className="stack">
      <legend className="wz-head">
        <h2>What</h2>
      </legend>
      <div className="choices2">
        <label className="choice">
          <input
            type="radio"
            name="kind"
            checked={draft.kind === 'files'}
            onChange={() => change({ kind: 'files' })}
          />
          <b>Files and folders</b>
          <small>of the machine that the server runs on</small>
        </label>
        <label className="choice">
          <input
            type="radio"
            name="kind"
            checked={draft.kind === 'mongodb'}
            onChange={() => change({ kind: 'mongodb' })}
          />
          <b>MongoDB</b>
          <small>all databases of a deployment, read back after each run</small>
        </label>
      </div>
      <Field
        label={draft.kind === 'files' ? 'Folder' : 'Address'}
        required
        value={draft.what}
        onChange={({ target }) => change({ what: target.value, ...nameFrom(draft, target.value) })}
        placeholder={draft.kind === 'files' ? '/srv/shop' : 'mongodb://db.example.org/'}
        help={
          draft.kind === 'files'
            ? 'An absolute path.'
            : 'Without a password: name a secret, such as env:MONGO_URL.'
        }
      />
      <Field
        label="Name"
        required
        pattern="[a-z0-9][a-z0-9._\-]*"
        value={draft.name}
        onChange={({ target }) => change({ name: target.value })}
        placeholder="shop"
        help="Small letters, digits, and - . _ between them. It stands in tags and addresses."
      />
    </fieldset>
  );
}

function Where({ draft, change, repositories }: PartProps & { repositories: readonly Repository[] }) {
  const chosen = repositories.filter(({ name }) => draft.repositories.includes(name));
  const isOnlyHere = chosen.length > 0 && chosen.every(({ status }) => status.isOnThisMachine);
  return (
    <fieldset className="stack">
      <legend className="wz-head">
        <h2>Where to</h2>
      </legend>
      <div className="choices2">
        {repositories.map(({ name, spec }) => (
          <label key={name} className="choice">
            <input
              type="checkbox"
              checked={draft.repositories.includes(name)}
              onChange={({ target }) =>
                change({
                  repositories: target.checked
                    ? [...draft.repositories, name]
                    : draft.repositories.filter((each) => each !== name),
                })
              }
            />
            <b>{name}</b>
            <small className="ellipsis">{spec.location}</small>
          </label>
        ))}
      </div>
      {isOnlyHere && (
        <Callout tone="warning" title="Only on this machine.">
          <p>The plan will stay amber until a copy goes elsewhere. Add a repository under Storage.</p>
        </Callout>
      )}
    </fieldset>
  );
}

function When({ draft, change }: PartProps) {
  const count = (key: 'daily' | 'weekly' | 'monthly', label: string) => (
    <Field
      label={label}
      type="number"
      min={0}
      max={1000}
      value={draft[key]}
      onChange={({ target }) => change({ [key]: Number(target.value) })}
    />
  );
  return (
    <fieldset className="stack">
      <legend className="wz-head">
        <h2>When, and how long</h2>
      </legend>
      <Field
        label="Every day at"
        type="time"
        required
        value={draft.at}
        onChange={({ target }) => change({ at: target.value })}
        help={`In your time zone, ${zone}. A run that was missed is caught up once.`}
      />
      <div className="keeps">
        {count('daily', 'Days')}
        {count('weekly', 'Weeks')}
        {count('monthly', 'Months')}
        <p className="keep-say t2">
          The newest of each stays; what no rule keeps lies in the trash for 7 days before it goes.
        </p>
      </div>
    </fieldset>
  );
}

function nameFrom(draft: Draft, what: string): Partial<Draft> {
  const suggestion = (text: string): string =>
    (
      text
        .replace(/[/?#]+$/, '')
        .split(/[/@]/)
        .at(-1) ?? ''
    )
      .toLowerCase()
      .replaceAll(/[^a-z0-9._-]/g, '-')
      .replace(/^[^a-z0-9]+/, '');
  // Only as long as nobody wrote a name of their own.
  return draft.name === suggestion(draft.what) ? { name: suggestion(what) } : {};
}

function sourceOf({ kind, what }: Draft): object {
  return kind === 'files' ? { kind, paths: [what] } : { kind, url: what };
}

function planOf(draft: Draft) {
  const keep = Object.fromEntries(
    (['daily', 'weekly', 'monthly'] as const)
      .filter((rule) => draft[rule] > 0)
      .map((rule) => [rule, draft[rule]]),
  );
  return {
    sources: [draft.name],
    repositories: draft.repositories,
    schedule: { daily: draft.at, zone },
    objective: '26h',
    ...(Object.keys(keep).length > 0 && { keep }),
  };
}

async function makePlan(draft: Draft): Promise<Plan> {
  const { name } = draft;
  try {
    await api<Source>('/sources', { method: 'POST', body: { name, spec: sourceOf(draft) } });
  } catch (error) {
    // A second try after a fault in the plan finds its source there.
    if (!isProblem(error) || error.problem.code !== 'catalog.exists') throw error;
  }
  return api<Plan>('/plans', { method: 'POST', body: { name, spec: { kind: 'backup', ...planOf(draft) } } });
}

function yamlOf(draft: Draft): string {
  const name = draft.name || 'name';
  const what = draft.what || (draft.kind === 'files' ? '/path' : 'mongodb://…');
  const plan = planOf({ ...draft, name });
  const source =
    draft.kind === 'files' ? `kind: files\n    paths: [${what}]` : `kind: mongodb\n    url: ${what}`;
  const keep = plan.keep
    ? `\n    keep: { ${Object.entries(plan.keep)
        .map(([rule, count]) => `${rule}: ${count}`)
        .join(', ')} }`
    : '';
  return `version: 1
sources:
  ${name}:
    ${source}
plans:
  ${name}:
    sources: [${name}]
    repositories: [${plan.repositories.join(', ')}]
    schedule: { daily: "${draft.at}", zone: ${zone} }
    objective: 26h${keep}`;
}
