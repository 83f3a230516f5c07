import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext } from 'react';
import type { Session } from '#contract';
import { ErrorCallout, Skeleton } from '../components/notices.tsx';
import { SetupPage } from '../features/setup/setup-page.tsx';
import { SignInPage } from '../features/setup/sign-in-page.tsx';
import { api, isProblem, rememberCsrfToken } from './api.ts';

const SessionContext = createContext<Session | undefined>(undefined);

/** Who is signed in; only below the gate. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('nobody is signed in here');
  return session;
}

/** Lets pages through for somebody who is signed in; before that, the setup or the sign-in. */
export function SessionGate({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const setup = useQuery({
    queryKey: ['setup'],
    queryFn: () => api<{ isNeeded: boolean }>('/setup'),
    staleTime: Infinity,
  });
  const isSetUp = setup.data?.isNeeded === false;
  const session = useQuery({
    queryKey: ['session'],
    queryFn: loadSession,
    staleTime: Infinity,
    enabled: isSetUp,
  });
  const begin = (begun: Session): void => {
    rememberCsrfToken(begun.csrfToken);
    client.setQueryData(['setup'], { isNeeded: false });
    client.setQueryData(['session'], begun);
  };
  const error = setup.error ?? session.error;
  if (error)
    return (
      <div className="firstrun">
        <ErrorCallout error={error} what="Holdfast" onRetry={() => void client.invalidateQueries()} />
      </div>
    );
  if (!setup.data) return <Skeleton />;
  if (setup.data.isNeeded) return <SetupPage onDone={begin} />;
  if (session.data === undefined) return <Skeleton />;
  if (session.data === null) return <SignInPage onDone={begin} />;
  return <SessionContext value={session.data}>{children}</SessionContext>;
}

/** @returns null when nobody is signed in */
async function loadSession(): Promise<Session | null> {
  try {
    const session = await api<Session>('/session');
    rememberCsrfToken(session.csrfToken);
    return session;
  } catch (error) {
    if (isProblem(error) && error.problem.status === 401) return null;
    throw error;
  }
}
