export const databaseKinds = ['mongodb', 'redis', 'postgres', 'mysql', 'influxdb'] as const;
export type DatabaseKind = (typeof databaseKinds)[number];
export type DiscoveredKind = DatabaseKind | 'application' | 'site' | 'folder';

/** `certain`: it answered, or its own files say so; `likely`: it bears the name; `guess`: something points to it. */
export type Confidence = 'certain' | 'likely' | 'guess';

/** Something on this host that could be protected. It holds no secret: no password, no URL with one, no value of a variable. */
export interface Discovered {
  kind: DiscoveredKind;
  /** `MongoDB 7.0.5`, the application's or the site's name, a folder's path. */
  name: string;
  /** An address (`127.0.0.1:27017`) or a path. */
  where: string;
  /** Sentences: what we saw that makes us think so. */
  evidence: string[];
  /** The source to protect: `mongodb://127.0.0.1:27017`, a path. */
  suggestion?: string;
  confidence: Confidence;
  details: Record<string, string | number | boolean>;
}

export interface HostFindings {
  found: Discovered[];
  /** Sentences: what could not be looked at, so that nobody takes it for absent. */
  unseen: string[];
}

export const databaseTitles: Record<DatabaseKind, string> = {
  mongodb: 'MongoDB',
  redis: 'Redis',
  postgres: 'PostgreSQL',
  mysql: 'MySQL',
  influxdb: 'InfluxDB',
};
