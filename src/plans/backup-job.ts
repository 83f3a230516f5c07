import { z } from 'zod';
import type { JobVerdict } from '#catalog';
import { BackupPlan, Name, RepositorySpec, SourceSpec, sizeBytes, targetsOf } from '#contract';
import { type JobExecution, type JobKind, reasonOf } from '#jobs';
import {
  copySnapshots,
  forgetSnapshots,
  type Repository,
  type StoredSnapshot,
  type WriteProgress,
} from '#repository';
import { backup, type Problem, readBack } from '#workflows';
import { applyRetention } from './apply-retention.ts';
import { type Opened, openRepositorySpec, openSourceSpec, type Surroundings } from './open-specs.ts';
import { type PartResult, reasonOfProblems, verdictOf } from './part-result.ts';
import type { Records } from './records.ts';

/** What a backup job is made of: the plan and all that it names, as they were when it was submitted. */
export const BackupJobInput = z.object({
  plan: Name,
  spec: BackupPlan,
  sources: z.record(Name, SourceSpec),
  repositories: z.record(Name, RepositorySpec),
});
export type BackupJobInput = z.infer<typeof BackupJobInput>;

/**
 * Backs up each source of a plan: read once into the first repository, copied from there into the others, and read
 * back. A step that ran without its end having been recorded runs again; the snapshot it made before is dropped.
 */
export function backupJob(surroundings: Surroundings, records: Records): JobKind<BackupJobInput> {
  return {
    name: 'backup',
    version: 1,
    parse: (input) => BackupJobInput.parse(input),
    run: (execution, input) => new BackupWork(execution, input, { surroundings, records }).run(),
  };
}

type Target = ReturnType<typeof targetsOf>[number];

interface Place {
  source: string;
  repository: string;
  isRequired: boolean;
}

class BackupWork {
  readonly #execution: JobExecution;
  readonly #input: BackupJobInput;
  readonly #surroundings: Surroundings;
  readonly #records: Records;

  constructor(
    execution: JobExecution,
    input: BackupJobInput,
    { surroundings, records }: { surroundings: Surroundings; records: Records },
  ) {
    this.#execution = execution;
    this.#input = input;
    this.#surroundings = surroundings;
    this.#records = records;
  }

  async run(): Promise<JobVerdict> {
    const { spec } = this.#input;
    const [first, ...others] = targetsOf(spec);
    await this.#execution.step('look at sources and repositories', (signal) => this.#lookAhead(signal));
    const results: PartResult[] = [];
    for (const source of spec.sources) {
      const place = { source, ...first! };
      const made = await this.#part(`back up ${source}`, place, (signal) => this.#backUp(place, signal));
      results.push(made);
      if (!made.snapshotId) continue;
      for (const other of others) {
        const there = { source, ...other };
        results.push(
          await this.#part(`copy ${source} to ${other.repository}`, there, (signal) =>
            this.#copy(made.snapshotId!, place, there, signal),
          ),
        );
      }
      if (spec.prove?.readBack === 'never') continue;
      const proof = await this.#part(`read ${source} back`, place, (signal) =>
        this.#readBack(made.snapshotId!, place, signal),
      );
      Object.assign(
        made,
        proof.readBackAt && { readBackAt: proof.readBackAt, isReadBack: proof.state === 'succeeded' },
      );
      if (proof.state !== 'succeeded') results.push(proof);
    }
    await this.#execution.step('record what was made', () => this.#record(results));
    for (const target of targetsOf(spec)) await this.#retain(target, results);
    return verdictOf(results);
  }

  /** Nothing is ever forgotten after a run that did not succeed. */
  async #retain({ repository, keep, isRequired }: Target, results: PartResult[]): Promise<void> {
    const isGood = results.every(({ state }) => state === 'succeeded' || state === 'warning');
    if (!keep || !isGood) return;
    const place = { source: this.#input.plan, repository, isRequired };
    const part = await this.#part(`apply the retention in ${repository}`, place, async (signal) => {
      await this.#execution.assertHeld();
      await using opened = await this.#open(repository, signal);
      const nowMs = opened.thing.clock.nowMs();
      const choice = { plan: this.#input.plan, repository, keep, nowMs, signal };
      const { kept, forgotten, purged, hold } = await applyRetention(this.#records, opened.thing, choice);
      this.#execution.log(
        'info',
        `${kept} stay, ${forgotten} went into the trash, ${purged} left it for good`,
      );
      return hold ? { ...place, state: 'warning', reason: hold } : { ...place, state: 'succeeded' };
    });
    if (part.state !== 'succeeded') results.push(part);
  }

  /** Only now are the snapshots this job's: who was taken for lost meanwhile records nothing. */
  async #record(parts: readonly PartResult[]): Promise<void> {
    await this.#execution.assertHeld();
    const { id: jobId } = this.#execution.job;
    const { snapshots } = this.#records;
    for (const part of parts) {
      if (!part.snapshotId || !part.takenAt) continue;
      const {
        repository,
        source,
        takenAt,
        snapshotId: id,
        state,
        addedBytes,
        processedBytes,
        itemCount,
      } = part;
      const facts = {
        state,
        addedBytes,
        processedBytes,
        itemCount,
        hostname: part.hostname,
        paths: part.paths,
      };
      await snapshots.save([
        { repository, id, plan: this.#input.plan, source, jobId, takenAt: new Date(takenAt), facts },
      ]);
      await snapshots.addBadge({ repository, id }, { rung: 'stored', state: 'proven', at: takenAt, jobId });
      if (part.readBackAt)
        await snapshots.addBadge(
          { repository, id },
          { rung: 'read-back', state: part.isReadBack ? 'proven' : 'failed', at: part.readBackAt, jobId },
        );
    }
  }

  /** A step whose failure concerns one source in one repository; the others go on. */
  async #part(
    name: string,
    place: Place,
    work: (signal: AbortSignal) => Promise<PartResult>,
  ): Promise<PartResult> {
    try {
      return await this.#execution.step(name, work);
    } catch (error) {
      if (this.#execution.hasToEnd(error)) throw error;
      const reason = reasonOf(error);
      this.#execution.log('error', reason.message, reason.hint ? { hint: reason.hint } : {});
      return { ...place, state: 'failed', reason };
    }
  }

  /** Opens everything before anything is read: what cannot work fails in a second, not after an hour. */
  async #lookAhead(signal: AbortSignal): Promise<void> {
    for (const { repository } of targetsOf(this.#input.spec)) {
      await using opened = await this.#open(repository, signal);
      const snapshots = await opened.thing.snapshots({ signal });
      this.#execution.log('info', `repository ${repository} is there, with ${snapshots.length} snapshots`);
    }
    for (const source of this.#input.spec.sources) {
      await using opened = await openSourceSpec(this.#input.sources[source]!, this.#surroundings);
      this.#execution.log('info', `source ${source} is there: ${opened.thing.paths.join(', ')}`);
    }
  }

  async #backUp(place: Place, signal: AbortSignal): Promise<PartResult> {
    const { source } = place;
    await using opened = await this.#open(place.repository, signal);
    await using reading = await openSourceSpec(this.#input.sources[source]!, this.#surroundings);
    const repository = opened.thing;
    const { quota } = this.#input.repositories[place.repository]!;
    const following = new AbortController();
    const outcome = await backup({
      repository,
      source: reading.thing,
      tags: this.#tags(source),
      signal,
      ...(quota && { quotaBytes: sizeBytes(quota) }),
      onStart: ({ progress }) => this.#follow(`back up ${source}`, progress, following.signal),
      onProblem: (problem) => this.#logProblem(problem),
    }).finally(() => following.abort());
    const snapshot = outcome.snapshot!;
    await this.#dropOthers(repository, source, snapshot, signal);
    const { summary, problems, state } = outcome;
    return {
      ...place,
      state,
      ...factsOf(snapshot),
      addedBytes: summary.dataAddedPacked ?? summary.dataAdded,
      processedBytes: summary.totalBytesProcessed,
      itemCount: summary.totalFilesProcessed,
      ...reasonOfProblems(problems),
    };
  }

  async #copy(snapshotId: string, from: Place, to: Place, signal: AbortSignal): Promise<PartResult> {
    await using source = await this.#open(from.repository, signal);
    await using target = await this.#open(to.repository, signal);
    const snapshot = await source.thing.findSnapshot(snapshotId);
    const { copied, present, failed } = await copySnapshots(source.thing, target.thing, {
      snapshots: [snapshot],
      signal,
      onProgress: ({ bytesDone }) =>
        this.#execution.progress({ phase: `copy ${from.source}`, bytesDone, itemsDone: 0 }),
    });
    if (failed[0]) throw failed[0].error;
    const { copy } = [...copied, ...present][0]!;
    return { ...to, state: 'succeeded', ...factsOf(copy) };
  }

  async #readBack(snapshotId: string, place: Place, signal: AbortSignal): Promise<PartResult> {
    await using opened = await this.#open(place.repository, signal);
    const snapshot = await opened.thing.findSnapshot(snapshotId);
    const outcome = await readBack({
      repository: opened.thing,
      snapshot,
      signal,
      onProblem: (problem) => this.#logProblem(problem),
    });
    if (!outcome) return { ...place, state: 'succeeded' };
    this.#execution.log(
      'info',
      `read back ${outcome.documents} documents of ${outcome.collections} collections`,
    );
    const readBackAt = new Date(opened.thing.clock.nowMs()).toISOString();
    return { ...place, state: outcome.state, readBackAt, ...reasonOfProblems(outcome.problems) };
  }

  /** What an interrupted try of this job wrote is not its result. */
  async #dropOthers(
    repository: Repository,
    source: string,
    kept: StoredSnapshot,
    signal: AbortSignal,
  ): Promise<void> {
    const [job, name] = this.#tags(source);
    const snapshots = await repository.snapshots({ signal });
    const others = snapshots.filter(
      ({ id, tags }) => id !== kept.id && tags.includes(job!) && tags.includes(name!),
    );
    if (others.length === 0) return;
    await forgetSnapshots(
      repository,
      others.map(({ id }) => id),
      { signal },
    );
    this.#execution.log('info', `dropped ${others.length} snapshot of an interrupted try`);
  }

  #tags(source: string): string[] {
    const { id, attempt } = this.#execution.job;
    return [`job=${id}`, `name=${source}`, `plan=${this.#input.plan}`, `attempt=${attempt}`];
  }

  #open(repository: string, signal: AbortSignal): Promise<Opened<Repository>> {
    return openRepositorySpec(this.#input.repositories[repository]!, this.#surroundings, { signal });
  }

  #logProblem({ path, error, gravity }: Problem): void {
    this.#execution.log(gravity === 'lost' ? 'error' : 'warning', error.message, { item: path });
  }

  #follow(phase: string, progress: WriteProgress, signal: AbortSignal): void {
    this.#execution.follow(
      () => ({
        phase,
        bytesDone: progress.bytesProcessed,
        itemsDone: progress.filesNew + progress.filesChanged + progress.filesUnmodified,
      }),
      signal,
    );
  }
}

function factsOf({ id, timeNs, hostname, paths }: StoredSnapshot): Partial<PartResult> {
  return { snapshotId: id, takenAt: new Date(Number(timeNs / 1_000_000n)).toISOString(), hostname, paths };
}
