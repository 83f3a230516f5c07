import type { JobVerdict } from '#catalog';
import { targetsOf } from '#contract';
import type { JobExecution, JobKind } from '#jobs';
import { BackupJobInput } from './backup-input.ts';
import { BackupParts } from './backup-parts.ts';
import { openSourceSpec } from './open-specs.ts';
import { type PartResult, verdictOf } from './part-result.ts';
import { type Place, partStep } from './part-step.ts';
import { recordParts } from './record-parts.ts';
import { retain } from './retain.ts';
import type { WorkContext } from './work-context.ts';

/**
 * Backs up each source of a plan: read once into the first repository that can be had, copied from there into the
 * others, and read back. A step that ran without its end having been recorded runs again; the snapshot it made before
 * is dropped.
 */
export function backupJob(context: WorkContext): JobKind<BackupJobInput> {
  return {
    name: 'backup',
    version: 1,
    parse: (input) => BackupJobInput.parse(input),
    run: (execution, input) => new BackupWork(execution, input, context).run(),
  };
}

type Target = ReturnType<typeof targetsOf>[number];

class BackupWork {
  readonly #execution: JobExecution;
  readonly #input: BackupJobInput;
  readonly #context: WorkContext;
  readonly #parts: BackupParts;
  readonly #targets: Target[];

  constructor(execution: JobExecution, input: BackupJobInput, context: WorkContext) {
    this.#execution = execution;
    this.#input = input;
    this.#context = context;
    this.#parts = new BackupParts(execution, input, context.surroundings);
    this.#targets = targetsOf(input.spec);
  }

  async run(): Promise<JobVerdict> {
    const { plan, repositories } = this.#input;
    const { records } = this.#context;
    const execution = this.#execution;
    const results: PartResult[] = [];
    // What cannot work is known in a second, not after an hour.
    const targets = await this.#lookAtRepositories(results);
    const sources = await this.#lookAtSources(results);
    for (const source of sources) results.push(...(await this.#save(source, targets)));
    await execution.step('record what was made', () => recordParts({ execution, records, plan }, results));
    const { anomaly = 'hold' } = this.#input.spec;
    await retain(execution, this.#context, { plan, targets, repositories, anomaly, results });
    return verdictOf(results);
  }

  /** @returns those that can be had; of the others, what is wrong is added to the results */
  async #lookAtRepositories(results: PartResult[]): Promise<Target[]> {
    const ready: Target[] = [];
    for (const target of this.#targets) {
      const { repository, isRequired } = target;
      const place = { source: this.#input.plan, repository, isRequired };
      const part = await this.#part(`look at ${repository}`, place, async (signal) => {
        await using opened = await this.#parts.open(repository, signal);
        const { length } = await opened.thing.snapshots({ signal });
        this.#execution.log('info', `repository ${repository} is there, with ${length} snapshots`);
        return { ...place, state: 'succeeded' };
      });
      if (part.state === 'succeeded') ready.push(target);
      else results.push(...this.#input.spec.sources.map((source) => ({ ...part, source })));
    }
    return ready;
  }

  async #lookAtSources(results: PartResult[]): Promise<string[]> {
    const ready: string[] = [];
    for (const source of this.#input.spec.sources) {
      const { repository, isRequired } = this.#targets[0]!;
      const place = { source, repository, isRequired };
      const part = await this.#part(`look at ${source}`, place, async () => {
        await using opened = await openSourceSpec(this.#input.sources[source]!, this.#context.surroundings);
        this.#execution.log('info', `source ${source} is there: ${opened.thing.paths.join(', ')}`);
        return { ...place, state: 'succeeded' };
      });
      if (part.state === 'succeeded') ready.push(source);
      else results.push(...this.#everywhere(part, this.#targets));
    }
    return ready;
  }

  /** Reads a source once, into the first repository that takes it; the others get copies. */
  async #save(source: string, targets: readonly Target[]): Promise<PartResult[]> {
    const results: PartResult[] = [];
    let made: PartResult | undefined;
    for (const [index, { repository, isRequired }] of targets.entries()) {
      const place = { source, repository, isRequired };
      if (made) {
        const from = made;
        results.push(
          await this.#part(`copy ${source} to ${repository}`, place, (signal) =>
            this.#parts.copy(from, place, signal),
          ),
        );
        continue;
      }
      const part = await this.#part(`back up ${source} to ${repository}`, place, (signal) =>
        this.#parts.backUp(place, signal),
      );
      results.push(part);
      if (part.snapshotId) made = part;
      else if (!isOfRepository(part))
        return [...results, ...this.#everywhere(part, targets.slice(index + 1))];
    }
    if (made && this.#isReadBack(source)) results.push(...(await this.#readBack(made)));
    return results;
  }

  /** Files have nothing that could be parsed. */
  #isReadBack(source: string): boolean {
    const { spec, sources } = this.#input;
    return sources[source]!.kind === 'mongodb' && spec.prove?.readBack !== 'never';
  }

  /** @returns what is wrong with it */
  async #readBack(made: PartResult): Promise<PartResult[]> {
    const { source, repository, isRequired } = made;
    const place = { source, repository, isRequired };
    const proof = await this.#part(`read ${source} back`, place, (signal) =>
      this.#parts.readBack(made, signal),
    );
    if (proof.readBackAt)
      Object.assign(made, { readBackAt: proof.readBackAt, isReadBack: proof.state === 'succeeded' });
    return proof.state === 'succeeded' ? [] : [proof];
  }

  /** What went wrong with a source is so in each repository. */
  #everywhere(part: PartResult, targets: readonly Target[]): PartResult[] {
    return targets.map(({ repository, isRequired }) => ({ ...part, repository, isRequired }));
  }

  #part(name: string, place: Place, work: (signal: AbortSignal) => Promise<PartResult>): Promise<PartResult> {
    return partStep(this.#execution, { name, place }, work);
  }
}

/** Whether another repository may take what this one did not. */
function isOfRepository({ reason }: PartResult): boolean {
  return /^(repository|storage)\./.test(reason?.code ?? '');
}
