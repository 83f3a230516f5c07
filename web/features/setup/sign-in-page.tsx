import { useMutation } from '@tanstack/react-query';
import type { FormEvent } from 'react';
import type { Session } from '#contract';
import { api } from '../../app/api.ts';
import { Field } from '../../components/form.tsx';
import { ProblemNote } from '../../components/notices.tsx';
import { FirstRun } from './setup-page.tsx';

export function SignInPage({ onDone }: { onDone: (session: Session) => void }) {
  const signIn = useMutation({
    mutationFn: (body: object) => api<Session>('/session', { method: 'POST', body }),
    onSuccess: onDone,
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    signIn.mutate({ username: form.get('username'), password: form.get('password') });
  };
  return (
    <FirstRun title="Sign in" lead="This server keeps backups, so it wants to know who you are.">
      <form className="card" onSubmit={submit}>
        <div className="pad stack">
          <Field label="User name" name="username" autoComplete="username" required />
          <Field label="Password" name="password" type="password" autoComplete="current-password" required />
          {signIn.error && <ProblemNote error={signIn.error} />}
          <button type="submit" className="btn primary lg" disabled={signIn.isPending}>
            Sign in
          </button>
        </div>
      </form>
    </FirstRun>
  );
}
