// Durable work: a job, its steps, its state. Knows no backup: a job is any work with steps.
export { type EnginePlace, type EngineStore, openEngineStore } from './engine/engine-store.ts';
export { JobsError } from './errors.ts';
export { type JobExecution, reasonOf } from './job-execution.ts';
export { type JobKind, JobRunner, type JobRunnerOptions } from './job-runner.ts';
