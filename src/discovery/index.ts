// What runs on this host and could be protected: databases, applications, sites, folders. It looks and touches nothing.
export { type DiscoverOptions, discoverHost } from './discover-host.ts';
export type { Confidence, Discovered, DiscoveredKind, HostFindings } from './discovered.ts';
