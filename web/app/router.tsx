import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
} from '@tanstack/react-router';
import { Empty } from '../components/notices.tsx';
import { Shell } from './shell.tsx';

const root = createRootRoute({ component: Outlet });
const shell = createRoute({ getParentRoute: () => root, id: 'shell', component: Shell });
const getParentRoute = () => shell;

const pages = [
  createRoute({
    getParentRoute,
    path: '/',
    component: lazyRouteComponent(() => import('../features/overview/overview-page.tsx'), 'OverviewPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/setup',
    component: lazyRouteComponent(() => import('../features/overview/overview-page.tsx'), 'OverviewPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/sources',
    component: lazyRouteComponent(() => import('../features/sources/sources-page.tsx'), 'SourcesPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/plans',
    component: lazyRouteComponent(() => import('../features/plans/plans-page.tsx'), 'PlansPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/plans/new',
    component: lazyRouteComponent(() => import('../features/plans/new-plan-page.tsx'), 'NewPlanPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/plans/$name',
    component: lazyRouteComponent(() => import('../features/plans/plan-page.tsx'), 'PlanPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/snapshots',
    component: lazyRouteComponent(() => import('../features/snapshots/snapshots-page.tsx'), 'SnapshotsPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/snapshots/$repository/$id',
    component: lazyRouteComponent(() => import('../features/snapshots/snapshot-page.tsx'), 'SnapshotPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/snapshots/$repository/$id/restore',
    component: lazyRouteComponent(() => import('../features/restore/restore-page.tsx'), 'RestorePage'),
  }),
  createRoute({
    getParentRoute,
    path: '/jobs',
    component: lazyRouteComponent(() => import('../features/jobs/jobs-page.tsx'), 'JobsPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/jobs/$id',
    component: lazyRouteComponent(() => import('../features/jobs/job-page.tsx'), 'JobPage'),
  }),
  createRoute({
    getParentRoute,
    path: '/storage',
    component: lazyRouteComponent(() => import('../features/storage/storage-page.tsx'), 'StoragePage'),
  }),
  createRoute({
    getParentRoute,
    path: '/settings',
    component: lazyRouteComponent(() => import('../features/settings/settings-page.tsx'), 'SettingsPage'),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([shell.addChildren(pages)]),
  defaultNotFoundComponent: () => (
    <Empty title="There is no such page">The address may be old, or cut.</Empty>
  ),
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
