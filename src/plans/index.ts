// Plans as they are carried out: opened, scheduled, submitted and run as jobs over the workflows. Serves no routes.
export { jobKinds } from './job-kinds.ts';
export { lookAtRepository, makeRepository } from './look-at-repository.ts';
export { Notifier, tellTest } from './notifier.ts';
export { openRepositorySpec, openSourceSpec, openStorageSpec, type Surroundings } from './open-specs.ts';
export { decidePlanRetention } from './plan-retention.ts';
export { overviewSentence, statusOf } from './plan-status.ts';
export { openRecords, type Records } from './records.ts';
export { jobOfRestore } from './restore-job.ts';
export { Scheduler, type SchedulerOptions } from './scheduler.ts';
export { capacityOf, isUnderWay, jobOfPlan, type RunReason } from './submit-plan.ts';
export { jobOfProof, type ProofKind, proofUnderWay } from './submit-proof.ts';
