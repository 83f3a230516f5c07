/** The mildest first. */
const severities = ['info', 'warning', 'error', 'critical'] as const;
export type Severity = (typeof severities)[number];

/** A value that went from what is usual to what is now, as texts for people. What is not known is absent, never 0. */
export interface Figure {
  /** `Size`, `Files`, `Duration` */
  name: string;
  usual?: string | undefined;
  now?: string | undefined;
}

/** Something that people are told. Texts are plain, without any markup; each channel renders them its own way. */
export interface Notification {
  /** `job.failed`, `plan.late`, `storage.lost` … */
  type: string;
  /** Of a recovery: `info`. */
  severity: Severity;
  /** A job's state, or such a word: `failed`, `late`, `held`. */
  state: string;
  /** What it is about, in lower case (`plan`, `job`, `repository`), and which. */
  subject: { kind: string; name: string };
  /** What happened, as one sentence. */
  message: string;
  /** Whether it began now or long ago. */
  since: Date;
  at: Date;
  figures: readonly Figure[];
  /** The page of the dashboard that shows it. */
  link?: string | undefined;
  /** What to do, as a full sentence. */
  nextStep?: string | undefined;
  /** The machine that tells it. */
  host?: string | undefined;
  labels: Readonly<Record<string, string>>;
  /** The same for all that is told of one trouble, its end included: `plan:shop-nightly`. */
  dedupeKey: string;
  /** What this is the end of; absent for anything that is no recovery. */
  recovers?: { type: string; severity: Severity } | undefined;
  /** The job that ran, for services that join its start and its end. */
  jobId?: string | undefined;
}

/** What tells that a trouble is over: to those who were told of it, since when it had lasted, without a next step. */
export function recoveryOf(
  trouble: Notification,
  recovery: Pick<Notification, 'type' | 'state' | 'message' | 'at'> &
    Partial<Pick<Notification, 'figures' | 'link' | 'jobId'>>,
): Notification {
  const { type, severity } = trouble;
  const { nextStep: _, figures: __, jobId: ___, ...lasting } = trouble;
  return { ...lasting, figures: [], ...recovery, severity: 'info', recovers: { type, severity } };
}

/** Whether `severity` is as bad as `least`, or worse. */
export function isAtLeast(severity: Severity, least: Severity): boolean {
  return severities.indexOf(severity) >= severities.indexOf(least);
}
