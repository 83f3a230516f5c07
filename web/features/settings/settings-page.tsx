import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import type { NewToken, Role, Session, User } from '#contract';
import { api } from '../../app/api.ts';
import { tokensQuery, usersQuery } from '../../app/queries.ts';
import { useSession } from '../../app/session.tsx';
import { Field } from '../../components/form.tsx';
import { Callout, ErrorCallout, ProblemNote } from '../../components/notices.tsx';
import { PageHead } from '../../components/page-head.tsx';
import { Time } from '../../components/time.tsx';

export function SettingsPage() {
  const session = useSession();
  const isAdmin = session.user.role === 'admin';
  return (
    <>
      <PageHead title="Settings" actions={<SignOutButton />} />
      <div className="stack">
        <Account session={session} />
        {isAdmin ? (
          <>
            <Users />
            <Tokens />
          </>
        ) : (
          <Callout tone="neutral" title="Users and tokens are shown to administrators." />
        )}
      </div>
    </>
  );
}

function SignOutButton() {
  const client = useQueryClient();
  const signOut = useMutation({
    mutationFn: () => api('/session', { method: 'DELETE' }),
    onSuccess: () => client.setQueryData(['session'], null),
  });
  return (
    <button type="button" className="btn" onClick={() => signOut.mutate()}>
      Sign out
    </button>
  );
}

function Account({ session: { user, expiresAt } }: { session: Session }) {
  return (
    <section className="card" aria-labelledby="account">
      <header>
        <h2 id="account">You</h2>
      </header>
      <dl className="facts pad">
        <div>
          <dt>User name</dt>
          <dd>{user.username}</dd>
        </div>
        <div>
          <dt>Role</dt>
          <dd>{user.role}</dd>
        </div>
        <div>
          <dt>Signed in until</dt>
          <dd>{new Date(expiresAt).toLocaleDateString('en-GB', { dateStyle: 'medium' })}</dd>
        </div>
      </dl>
    </section>
  );
}

const roles: Role[] = ['viewer', 'operator', 'editor', 'admin'];

function Users() {
  const users = useQuery(usersQuery);
  const client = useQueryClient();
  const add = useMutation({
    mutationFn: (form: FormData) =>
      api<User>('/users', { method: 'POST', body: Object.fromEntries(form.entries()) }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['user'] }),
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    add.mutate(new FormData(form), { onSuccess: () => form.reset() });
  };
  return (
    <section className="card" aria-labelledby="users">
      <header>
        <h2 id="users">Users</h2>
      </header>
      {users.error && <ErrorCallout error={users.error} what="The users" />}
      <div className="scroll-x">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Role</th>
              <th scope="col">Last seen</th>
            </tr>
          </thead>
          <tbody>
            {users.data?.items.map((user) => (
              <tr key={user.id}>
                <th scope="row">{user.username}</th>
                <td>{user.role}</td>
                <td className="dim">{user.lastSeenAt ? <Time at={user.lastSeenAt} /> : 'never'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <form className="pad stack addrow" onSubmit={submit}>
        <div className="row wrap">
          <Field label="User name" name="username" required autoComplete="off" />
          <Field
            label="Password"
            name="password"
            type="password"
            required
            minLength={12}
            autoComplete="new-password"
          />
          <label className="field">
            <span className="label">Role</span>
            <select className="select" name="role" defaultValue="viewer">
              {roles.map((role) => (
                <option key={role}>{role}</option>
              ))}
            </select>
          </label>
          <button type="submit" className="btn" disabled={add.isPending}>
            Add user
          </button>
        </div>
        {add.error && <ProblemNote error={add.error} />}
      </form>
    </section>
  );
}

const scopes = ['read', 'run', 'restore', 'write', 'admin', 'metrics'];

function Tokens() {
  const tokens = useQuery(tokensQuery);
  const client = useQueryClient();
  const [made, setMade] = useState<NewToken>();
  const add = useMutation({
    mutationFn: (form: FormData) =>
      api<NewToken>('/tokens', {
        method: 'POST',
        body: { name: form.get('name'), scopes: form.getAll('scopes') },
      }),
    onSuccess: async (token) => {
      setMade(token);
      await client.invalidateQueries({ queryKey: ['token'] });
    },
  });
  const remove = useMutation({
    mutationFn: (id: string) => api(`/tokens/${id}`, { method: 'DELETE' }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['token'] }),
  });
  return (
    <section className="card" aria-labelledby="tokens">
      <header>
        <h2 id="tokens">Tokens for scripts</h2>
      </header>
      {tokens.error && <ErrorCallout error={tokens.error} what="The tokens" />}
      {tokens.data?.items.length === 0 && (
        <p className="pad t2">None yet. A token lets a script use the API.</p>
      )}
      <ul>
        {tokens.data?.items.map(({ id, name, scopes: may, expiresAt }) => (
          <li key={id} className="row pad">
            <span className="grow">
              {name} <span className="t3">may {may.join(', ')}</span>
              {expiresAt && (
                <span className="t3">, until {new Date(expiresAt).toLocaleDateString('en-GB')}</span>
              )}
            </span>
            <button type="button" className="btn sm danger-quiet" onClick={() => remove.mutate(id)}>
              Remove token
            </button>
          </li>
        ))}
      </ul>
      {made && (
        <div className="pad">
          <Callout tone="neutral" title="Copy the token now: it is not shown again.">
            <code>{made.token}</code>
          </Callout>
        </div>
      )}
      <form
        className="pad stack addrow"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate(new FormData(event.currentTarget));
        }}
      >
        <Field label="Name" name="name" required />
        <fieldset className="row wrap">
          <legend className="label">It may</legend>
          {scopes.map((scope) => (
            <label key={scope} className="check">
              <input type="checkbox" name="scopes" value={scope} defaultChecked={scope === 'read'} />
              {scope}
            </label>
          ))}
        </fieldset>
        {add.error && <ProblemNote error={add.error} />}
        <button type="submit" className="btn" disabled={add.isPending}>
          Make token
        </button>
      </form>
    </section>
  );
}
