import type { Clock } from '#base';
import type { Configured } from '#catalog';
import type { PlanSpec } from '#contract';
import type { JobRunner } from '#jobs';
import { timetableOf } from '#schedule';
import type { Records } from './records.ts';
import { isUnderWay, jobOfPlan } from './submit-plan.ts';

export interface SchedulerOptions {
  records: Records;
  runner: Pick<JobRunner, 'submit'>;
  clock: Clock;
  /** Told of a plan whose run could not be made. */
  onProblem(plan: string, error: unknown): void;
}

const pauseMs = 10_000;

/** Runs plans when they are due, once for each slot; what nobody ran is caught up once, and reported. */
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

  /** Looks at every plan once. */
  async pass(): Promise<void> {
    const { records, onProblem } = this.#options;
    let plans: Configured<PlanSpec>[] = [];
    try {
      plans = await records.plans.list();
    } catch (error) {
      onProblem('all plans', error);
    }
    for (const plan of plans) await this.#look(plan).catch((error: unknown) => onProblem(plan.name, error));
  }

  async #look(plan: Configured<PlanSpec>): Promise<void> {
    const { records, clock } = this.#options;
    const { schedule, pause } = plan.spec;
    const nowMs = clock.nowMs();
    if (!schedule || (pause && (!pause.until || Date.parse(pause.until) > nowMs))) return;
    const name = `plan ${plan.id}`;
    const handled = await records.settings.handledUntil(name);
    const lastMs = (handled ?? plan.createdAt).getTime();
    if (lastMs > nowMs) {
      // The clock was put back.
      await records.settings.saveHandledUntil(name, new Date(nowMs));
      return;
    }
    const due = timetableOf(schedule, { seed: plan.name }).due({ lastMs, nowMs });
    if (!due || due.verdict === 'wait') return;
    const scheduledAt = new Date(due.slotMs);
    if (due.missedCount > 0) await this.#reportMissed(plan, { scheduledAt, count: due.missedCount });
    // A run that is still under way is the run of this slot too: no overlap.
    if (due.verdict !== 'report' && !(await isUnderWay(records, plan.name)))
      await this.#options.runner.submit(
        await jobOfPlan(records, plan, {
          trigger: due.verdict === 'catch-up' ? 'catch-up' : 'schedule',
          scheduledAt,
          // Two schedulers on one catalog make one job.
          idempotencyKey: `${name} ${due.slotMs}`,
        }),
      );
    await records.settings.saveHandledUntil(name, scheduledAt);
  }

  async #reportMissed(
    plan: Configured<PlanSpec>,
    { scheduledAt, count }: { scheduledAt: Date; count: number },
  ): Promise<void> {
    const { records } = this.#options;
    const job = await jobOfPlan(records, plan, {
      trigger: 'schedule',
      scheduledAt,
      idempotencyKey: `missed plan ${plan.id} ${scheduledAt.getTime()}`,
    });
    const runs = count === 1 ? 'a run was' : `${count} runs were`;
    await records.jobs.recordMissed(job, {
      state: 'missed',
      reason: {
        code: 'plan.missed',
        message: `${runs} missed: nothing was there to start ${count === 1 ? 'it' : 'them'}`,
        hint: 'Look why the server did not run then.',
      },
    });
  }
}
