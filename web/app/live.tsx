import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import type { LiveEvent } from '#contract';

/** Whether what is on the screen is kept up to date, and since when it is not. */
export type Live = { isLive: true } | { isLive: false; sinceMs: number };

const LiveContext = createContext<Live>({ isLive: true });

export function useLive(): Live {
  return useContext(LiveContext);
}

/** Query keys begin with a noun of the API; a list and one of its things share it. */
function staleAfter(event: LiveEvent): string[][] {
  switch (event.type) {
    case 'job':
      return [['job'], ...(event.job.plan ? [['plan'], ['overview']] : [])];
    case 'changed':
      return event.noun === 'job-log' ? [['job-log', event.name ?? '']] : [[event.noun], ['overview']];
    case 'reset':
      return [[]];
    default:
      return [];
  }
}

/**
 * Listens to the server's events and asks again for what they concern. The browser reconnects by itself and sends the
 * id of the last event it saw.
 */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [live, setLive] = useState<Live>({ isLive: true });
  useEffect(() => {
    const events = new EventSource('/api/v1/events');
    events.onopen = () => {
      setLive((before) => {
        if (!before.isLive) void client.invalidateQueries();
        return { isLive: true };
      });
    };
    events.onerror = () => {
      setLive((before) => (before.isLive ? { isLive: false, sinceMs: Date.now() } : before));
    };
    events.onmessage = ({ data }: MessageEvent<string>) => {
      for (const queryKey of staleAfter(JSON.parse(data) as LiveEvent))
        void client.invalidateQueries({ queryKey });
    };
    return () => events.close();
  }, [client]);
  return <LiveContext value={live}>{children}</LiveContext>;
}
