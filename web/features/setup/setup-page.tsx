import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import type { Session } from '#contract';
import { api } from '../../app/api.ts';
import { Logo, ThemeButton } from '../../app/logo.tsx';
import { Field } from '../../components/form.tsx';
import { Callout, ProblemNote } from '../../components/notices.tsx';

const passwordMin = 12;

/** First run: the token of the setup link, in the URL's fragment, makes the first administrator. */
export function SetupPage({ onDone }: { onDone: (session: Session) => void }) {
  const [token] = useState(() => window.location.hash.slice(1));
  const setUp = useMutation({
    mutationFn: (body: object) => api<Session>('/setup', { method: 'POST', body }),
    onSuccess: (session) => {
      // The token is used up: it shall not stay in the address.
      window.history.replaceState(null, '', '/');
      onDone(session);
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setUp.mutate({ token, username: form.get('username'), password: form.get('password') });
  };
  return (
    <FirstRun
      title="Make the first administrator"
      lead="One account that may do everything. Others can be added later."
    >
      {token.length < 16 ? (
        <Callout tone="warning" title="This page needs the setup link.">
          <p>
            The server printed it when it started. <code>holdfast setup-link</code> on the server prints a new
            one.
          </p>
        </Callout>
      ) : (
        <form className="card" onSubmit={submit}>
          <div className="pad stack">
            <Field label="User name" name="username" autoComplete="username" required defaultValue="admin" />
            <Field
              label="Password"
              name="password"
              type="password"
              autoComplete="new-password"
              minLength={passwordMin}
              required
              help={`At least ${passwordMin} characters.`}
            />
            {setUp.error && <ProblemNote error={setUp.error} />}
            <button type="submit" className="btn primary lg" disabled={setUp.isPending}>
              Make the administrator
            </button>
          </div>
        </form>
      )}
    </FirstRun>
  );
}

export function FirstRun({
  title,
  lead,
  children,
}: {
  title: string;
  lead: string;
  children: React.ReactNode;
}) {
  return (
    <div className="firstrun">
      <title>{`${title} · Holdfast`}</title>
      <header className="firsthead">
        <span className="row">
          <Logo />
          <span className="strong">Holdfast</span>
        </span>
        <ThemeButton />
      </header>
      <main>
        <div className="firsttop">
          <h1>{title}</h1>
          <p className="t2">{lead}</p>
        </div>
        {children}
      </main>
    </div>
  );
}
