// The shapes of the HTTP API and of holdfast.yaml: each name is a zod schema and its type. Runs in a browser; does nothing.
export { Channel, ChannelSpec, Delivery } from './channel.ts';
export { Event, LogLine, Severity } from './event.ts';
export { AuditEntry, Evidence } from './evidence.ts';
export { Finding } from './finding.ts';
export { Health, Overview } from './health.ts';
export { CommandHook, Hook, HttpHook } from './hook.ts';
export { Job, JobDetail, JobKind, JobProgress, JobResult, RunInput, Step } from './job.ts';
export { isFinal, JobState } from './job-state.ts';
export { KeepPolicy } from './keep-policy.ts';
export { LiveEvent } from './live-event.ts';
export { Id, Labels, Name, Origin } from './name.ts';
export { PageQuery, pageOf } from './page.ts';
export { Plan, PlanInput, PlanStatus, PlanTargetStatus } from './plan.ts';
export { BackupPlan, PlanSpec, PlanTarget, ReplicatePlan, SelfPlan, targetsOf } from './plan-spec.ts';
export { Fault, Problem, Reason } from './problem.ts';
export { Badge, ProofSpec, Rung } from './proof.ts';
export { Repository, RepositorySpec, RepositoryStatus } from './repository.ts';
export { RestoreInput } from './restore.ts';
export { RetentionPreview, RetentionPreviewInput, RetentionVerdict } from './retention-preview.ts';
export { Blackout, DayWindow, Schedule, SchedulePreview, Weekday } from './schedule.ts';
export { SealedSecret, SecretRef, SecretToSeal, SecretUrl } from './secret.ts';
export { NewToken, Scope, Session, SignInInput, Token, TokenInput } from './session.ts';
export { Settings } from './settings.ts';
export { Size, sizeBytes } from './size.ts';
export { Entry, Pin, PinInput, Snapshot, SnapshotId } from './snapshot.ts';
export { DiscoveredSource, Source } from './source.ts';
export {
  BucketSource,
  CommandSource,
  FilesSource,
  MongodbSource,
  SourceKind,
  SourceSpec,
} from './source-spec.ts';
export { Location, StorageLimits, StorageSpec, StorageTest, StorageTestLine } from './storage.ts';
export { Span, spanMs, Timestamp, Zone } from './time.ts';
export { Role, SetupInput, User, UserChange, UserInput } from './user.ts';
