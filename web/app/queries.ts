import { queryOptions } from '@tanstack/react-query';
import type {
  Entry,
  Event,
  Job,
  JobDetail,
  LogLine,
  Overview,
  Plan,
  Repository,
  Snapshot,
  Source,
  Token,
  User,
} from '#contract';
import { api } from './api.ts';

/** A list that is short, and a page of one that may be long. */
interface List<Item> {
  items: Item[];
  next?: string;
}

// Keys begin with the noun that live events name.
export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: () => api<Overview>('/overview'),
});
export const plansQuery = queryOptions({ queryKey: ['plan'], queryFn: () => api<List<Plan>>('/plans') });
export const sourcesQuery = queryOptions({
  queryKey: ['source'],
  queryFn: () => api<List<Source>>('/sources'),
});
export const repositoriesQuery = queryOptions({
  queryKey: ['repository'],
  queryFn: () => api<List<Repository>>('/repositories'),
});
export const usersQuery = queryOptions({ queryKey: ['user'], queryFn: () => api<List<User>>('/users') });
export const tokensQuery = queryOptions({ queryKey: ['token'], queryFn: () => api<List<Token>>('/tokens') });

export const planQuery = (name: string) =>
  queryOptions({ queryKey: ['plan', name], queryFn: () => api<Plan>(`/plans/${name}`) });

export const jobsQuery = (filter: { plan?: string; state?: string }) =>
  queryOptions({
    queryKey: ['job', 'list', filter],
    queryFn: () => api<List<Job>>(`/jobs${search({ ...filter, limit: 50 })}`),
  });

export const jobQuery = (id: string) =>
  queryOptions({ queryKey: ['job', id], queryFn: () => api<JobDetail>(`/jobs/${id}`) });

export const jobLogQuery = (id: string) =>
  queryOptions({
    queryKey: ['job-log', id],
    queryFn: () => api<List<LogLine>>(`/jobs/${id}/log?limit=1000`),
  });

export const activityQuery = queryOptions({
  queryKey: ['activity'],
  queryFn: () => api<List<Event>>('/activity?limit=12'),
});

export const snapshotsQuery = (filter: { repository?: string; plan?: string; trash?: boolean }) =>
  queryOptions({
    queryKey: ['snapshot', 'list', filter],
    queryFn: () => api<List<Snapshot>>(`/snapshots${search({ ...filter, limit: 200 })}`),
  });

export const snapshotQuery = (repository: string, id: string) =>
  queryOptions({
    queryKey: ['snapshot', repository, id],
    queryFn: () => api<Snapshot>(`/repositories/${repository}/snapshots/${id}`),
  });

export const entriesQuery = (repository: string, id: string, path: string) =>
  queryOptions({
    queryKey: ['entries', repository, id, path],
    // What is in a snapshot never changes.
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () =>
      api<List<Entry>>(`/repositories/${repository}/snapshots/${id}/entries${search({ path, limit: 1000 })}`),
  });

function search(values: Record<string, string | number | boolean | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, `${value}`);
  return query.size > 0 ? `?${query}` : '';
}

export function downloadUrl(
  snapshot: Pick<Snapshot, 'repository' | 'id'>,
  what: 'file' | 'archive',
  path: string,
): string {
  return `/api/v1/repositories/${snapshot.repository}/snapshots/${snapshot.id}/${what}${search({ path })}`;
}
