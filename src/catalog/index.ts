// Our own records: what is configured, jobs, what we know of snapshots, people. The only module that speaks SQL to them.
export { Catalog, type ConfiguredSpecs, type OpenCatalogOptions } from './catalog.ts';
export type { Chain, ChainEntry, ChainState, NewChainEntry } from './chain.ts';
export type { Configured, ConfiguredStore, ConfiguredWrite, Origin } from './configured-store.ts';
export type { CatalogPlace } from './database/open-database.ts';
export type { DeliveryOutcome, DeliveryRecord, DeliveryStore, NewDelivery } from './delivery-store.ts';
export { CatalogError } from './errors.ts';
export type { DispatchOptions } from './jobs/dispatch.ts';
export type {
  Held,
  JobId,
  JobRecord,
  JobState,
  JobVerdict,
  LogLine,
  NewJob,
  NumberedLine,
  Reason,
  StepRecord,
} from './jobs/job.ts';
export type { JobFilter, JobStore } from './jobs/job-store.ts';
export type { Change, EventRecord, Journal, NewEvent, Severity } from './journal.ts';
export { catalogFileIn, moveCatalog } from './move-catalog.ts';
export type { Page, PageRequest } from './records.ts';
export { loadMasterKeys, newSealingKey, type SealingKey, saveMasterKeys } from './secrets/master-key.ts';
export { rotateMasterKey } from './secrets/rotate-master-key.ts';
export type { SettingsStore } from './settings-store.ts';
export type { BadgeRecord, PinRecord, SnapshotRecord, SnapshotStore } from './snapshot-store.ts';
export { lockState, type StateLock } from './state-lock.ts';
export type { NewUser, SessionRecord, TokenRecord, UserRecord, UserStore } from './user-store.ts';
