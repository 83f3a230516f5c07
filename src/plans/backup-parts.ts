import { sizeBytes } from '#contract';
import type { JobExecution } from '#jobs';
import {
  copySnapshots,
  forgetSnapshots,
  type Repository,
  type StoredSnapshot,
  type WriteProgress,
} from '#repository';
import { backup, readBack } from '#workflows';
import type { BackupJobInput } from './backup-input.ts';
import { type Opened, openForJob, openSourceSpec, type Surroundings } from './open-specs.ts';
import { type PartResult, reasonOfProblems } from './part-result.ts';
import { logProblem, type Place } from './part-step.ts';

/** What a backup job does with one source in one repository. Each of these may run twice. */
export class BackupParts {
  readonly #execution: JobExecution;
  readonly #input: BackupJobInput;
  readonly #surroundings: Surroundings;

  constructor(execution: JobExecution, input: BackupJobInput, surroundings: Surroundings) {
    this.#execution = execution;
    this.#input = input;
    this.#surroundings = surroundings;
  }

  open(repository: string, signal: AbortSignal): Promise<Opened<Repository>> {
    return openForJob(this.#input.repositories[repository]!, this.#surroundings, signal);
  }

  async backUp(place: Place, signal: AbortSignal): Promise<PartResult> {
    const { source } = place;
    await using opened = await this.open(place.repository, signal);
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
      onProblem: (problem) => logProblem(this.#execution, problem),
    }).finally(() => following.abort());
    const snapshot = outcome.snapshot!;
    await this.#dropOthers(repository, source, snapshot, signal);
    const { summary, problems, state } = outcome;
    return {
      ...place,
      state,
      snapshotState: state,
      ...factsOf(snapshot),
      addedBytes: summary.dataAddedPacked ?? summary.dataAdded,
      processedBytes: summary.totalBytesProcessed,
      itemCount: summary.totalFilesProcessed,
      ...reasonOfProblems(problems),
    };
  }

  async copy(made: PartResult, place: Place, signal: AbortSignal): Promise<PartResult> {
    await using source = await this.open(made.repository, signal);
    await using target = await this.open(place.repository, signal);
    const snapshot = await source.thing.findSnapshot(made.snapshotId!);
    const { copied, present, failed } = await copySnapshots(source.thing, target.thing, {
      snapshots: [snapshot],
      signal,
      onProgress: ({ bytesDone }) =>
        this.#execution.progress({ phase: `copy ${place.source}`, bytesDone, itemsDone: 0 }),
    });
    if (failed[0]) throw failed[0].error;
    const { copy } = [...copied, ...present][0]!;
    const { snapshotState, processedBytes, itemCount } = made;
    return {
      ...place,
      state: 'succeeded',
      // A copy of what is not whole is not whole.
      ...(snapshotState && { snapshotState }),
      ...(processedBytes !== undefined && { processedBytes }),
      ...(itemCount !== undefined && { itemCount }),
      ...factsOf(copy),
    };
  }

  async readBack(made: PartResult, signal: AbortSignal): Promise<PartResult> {
    const { source, repository, isRequired } = made;
    const place = { source, repository, isRequired };
    await using opened = await this.open(repository, signal);
    const snapshot = await opened.thing.findSnapshot(made.snapshotId!);
    const outcome = await readBack({
      repository: opened.thing,
      snapshot,
      signal,
      onProblem: (problem) => logProblem(this.#execution, problem),
    });
    if (!outcome) return { ...place, state: 'succeeded' };
    const { documents, collections, state, problems } = outcome;
    this.#execution.log('info', `read back ${documents} documents of ${collections} collections`);
    const readBackAt = new Date(opened.thing.clock.nowMs()).toISOString();
    return { ...place, state, readBackAt, ...reasonOfProblems(problems) };
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
    await this.#execution.assertHeld();
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
