/** One execution of work, with one state and one verdict. */
export type JobId = string & { readonly brand: 'JobId' };

/** States of design §4; all but the first two are final. */
export type JobState =
  | 'queued'
  | 'running'
  | 'succeeded'
  | 'warning'
  | 'partial'
  | 'failed'
  | 'missed'
  | 'interrupted'
  | 'cancelled';

/** Why a state is not simply good. */
export interface Reason {
  /** Stable and greppable: `storage.access-denied`. */
  code: string;
  message: string;
  hint?: string | undefined;
}

export interface NewJob {
  kind: string;
  version: number;
  /** What the kind is given; through JSON. */
  input: unknown;
  plan?: string;
  labels?: Record<string, string>;
  /** `schedule`, `catch-up`, `person`, `api` … */
  trigger: string;
  requestedBy?: string;
  /** Names of limits that it takes while it lives: `storage:nas`, `source:shop`. */
  limits: readonly string[];
  /** Twice with one key is one job. */
  idempotencyKey?: string;
  /** The run of the schedule that it is. */
  scheduledAt?: Date;
}

export interface JobRecord extends NewJob {
  id: JobId;
  labels: Record<string, string>;
  state: JobState;
  reason?: Reason;
  /** 0 before the first. */
  attempt: number;
  worker?: string;
  cancelRequestedAt?: Date;
  waitsFor?: string;
  progress?: unknown;
  result?: unknown;
  createdAt: Date;
  startedAt?: Date;
  endedAt?: Date;
}

/** How a job ended. Only *succeeded* needs no reason. */
export interface JobVerdict {
  state: Exclude<JobState, 'queued' | 'running'>;
  reason?: Reason;
  /** Through JSON. */
  result?: unknown;
}

/** A running job as its worker holds it: what is written with an older generation is not accepted. */
export interface Held {
  job: JobRecord;
  generation: number;
}

/** A part that is not repeated once done. `queued`: it failed, and is tried again. */
export interface StepRecord {
  name: string;
  state: JobState;
  reason?: Reason;
  attempt: number;
  startedAt: Date;
  endedAt?: Date;
}

export interface LogLine {
  at: Date;
  level: 'debug' | 'info' | 'warning' | 'error';
  step?: string;
  message: string;
  hint?: string | undefined;
  item?: string | undefined;
}

/** A line as it is kept: numbered within its job, from 1, without gaps. */
export interface NumberedLine extends LogLine {
  number: number;
}
