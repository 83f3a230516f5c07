import { type Clock, messageOf } from '#base';
import type { JobRunner } from '#jobs';
import { type Due, timetableOf } from '#schedule';
import { tellLateness } from './lateness.ts';
import type { Records } from './records.ts';
import { type ScheduledWork, scheduledWorkOf } from './scheduled-work.ts';

export interface SchedulerOptions {
  records: Records;
  runner: Pick<JobRunner, 'submit'>;
  clock: Clock;
  /** Told of what could not be run. */
  onProblem(what: string, error: unknown): void;
}

const pauseMs = 10_000;

/** Runs what is due, once for each slot; what nobody ran is caught up once, and reported. */
export class Scheduler {
  readonly #options: SchedulerOptions;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Works until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.pass();
      // Only the signal ends a rest early.
      await this.#options.clock.sleep(pauseMs, { signal }).catch(() => {});
    }
  }

  /** Looks at everything once. */
  async pass(): Promise<void> {
    const { records, clock, onProblem } = this.#options;
    try {
      const plans = await records.plans.list();
      const repositories = await records.repositories.list();
      const nowMs = clock.nowMs();
      for (const work of scheduledWorkOf(records, { plans, repositories, nowMs }))
        await this.#look(work).catch((error: unknown) => this.#tellRefused(work, error));
      for (const plan of plans)
        await tellLateness(records, plan, nowMs).catch((error: unknown) => onProblem(plan.name, error));
    } catch (error) {
      onProblem('all plans', error);
    }
  }

  async #look(work: ScheduledWork): Promise<void> {
    const { records, clock } = this.#options;
    const nowMs = clock.nowMs();
    const handled = await records.settings.handledUntil(work.key);
    const lastMs = (handled ?? work.since).getTime();
    // New, or the clock was put back.
    if (!handled || lastMs > nowMs)
      await records.settings.saveHandledUntil(work.key, new Date(Math.min(lastMs, nowMs)));
    if (lastMs > nowMs) return;
    const due = timetableOf(work.schedule, { seed: work.name }).due({ lastMs, nowMs });
    if (!due || due.verdict === 'wait') return;
    const scheduledAt = new Date(due.slotMs);
    if (!work.isPaused) await this.#make(work, { ...due, scheduledAt });
    await records.settings.saveHandledUntil(work.key, scheduledAt);
  }

  /** Work that cannot even be made is an event, once for each reason: nobody reads the server's own output at night. */
  async #tellRefused({ key, name }: ScheduledWork, error: unknown): Promise<void> {
    const { records, onProblem } = this.#options;
    onProblem(name, error);
    const message = messageOf(error);
    const told = `refused ${key}`;
    if ((await records.settings.find<string>(told)) === message) return;
    await records.settings.save(told, message);
    await records.journal.add({
      type: 'plan.refused',
      severity: 'error',
      message: `${name} does not run: ${message}`,
      plan: name,
    });
  }

  async #make(work: ScheduledWork, due: Due & { scheduledAt: Date }): Promise<void> {
    const { scheduledAt } = due;
    if (due.missedCount > 0 && work.isMissedTold)
      await this.#reportMissed(work, { scheduledAt, count: due.missedCount });
    // A run that is still under way is the run of this slot too: no overlap.
    if (due.verdict !== 'report' && !(await work.isUnderWay()))
      await this.#options.runner.submit(
        await work.job({
          trigger: due.verdict === 'catch-up' ? 'catch-up' : 'schedule',
          scheduledAt,
          // Two schedulers on one catalog make one job.
          idempotencyKey: `${work.key} ${due.slotMs}`,
        }),
      );
  }

  async #reportMissed(
    work: ScheduledWork,
    { scheduledAt, count }: { scheduledAt: Date; count: number },
  ): Promise<void> {
    const job = await work.job({
      trigger: 'schedule',
      scheduledAt,
      idempotencyKey: `missed ${work.key} ${scheduledAt.getTime()}`,
    });
    const runs = count === 1 ? 'a run was' : `${count} runs were`;
    await this.#options.records.jobs.recordMissed(job, {
      state: 'missed',
      reason: {
        code: 'plan.missed',
        message: `${runs} missed: nothing was there to start ${count === 1 ? 'it' : 'them'}`,
        hint: 'Look why the server did not run then.',
      },
    });
  }
}
