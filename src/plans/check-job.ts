import { z } from 'zod';
import { formatSize } from '#base';
import type { JobVerdict } from '#catalog';
import { Name, RepositorySpec } from '#contract';
import type { JobExecution, JobKind } from '#jobs';
import { type CheckReport, checkRepository, type ReadDataChoice } from '#repository';
import { noteRepository } from './look-at-repository.ts';
import { openForJob } from './open-specs.ts';
import { type PartResult, verdictOf } from './part-result.ts';
import { partStep } from './part-step.ts';
import { recordProof } from './proof-record.ts';
import type { WorkContext } from './work-context.ts';

export const CheckJobInput = z.object({
  repositories: z.record(Name, RepositorySpec),
  /** Of the bytes, to be read and hashed again: another part each time. */
  percent: z.number().gt(0).max(100).optional(),
});
export type CheckJobInput = z.infer<typeof CheckJobInput>;

/** Checks the structure of repositories; as `verify` it reads a part of the bytes again too. */
export function checkJob(name: 'check' | 'verify', context: WorkContext): JobKind<CheckJobInput> {
  return {
    name,
    version: 1,
    parse: (input) => CheckJobInput.parse(input),
    async run(execution, { repositories, percent }): Promise<JobVerdict> {
      const parts: PartResult[] = [];
      for (const [repository, spec] of Object.entries(repositories)) {
        const place = { source: name, repository, isRequired: true };
        const step = { name: `${name} ${repository}`, place };
        const work = { execution, context, repository, spec, percent };
        parts.push(
          await partStep(execution, step, async (signal) => ({ ...place, ...(await check(work, signal)) })),
        );
      }
      return verdictOf(parts);
    },
  };
}

interface Work {
  execution: JobExecution;
  context: WorkContext;
  repository: string;
  spec: RepositorySpec;
  percent: number | undefined;
}

async function check(
  work: Work,
  signal: AbortSignal,
): Promise<Pick<PartResult, 'state' | 'reason' | 'counts'>> {
  const { execution, context, repository: name, spec, percent } = work;
  const { records, surroundings } = context;
  const turn = await turnOf(work);
  await using opened = await openForJob(spec, surroundings, signal);
  const known = (await records.snapshots.ofRepository(name)).filter(({ forgottenAt }) => !forgottenAt);
  const report = await checkRepository(opened.thing, {
    readData: turn.readData,
    signal,
    onFinding: ({ gravity, message }) =>
      execution.log(gravity === 'hint' ? 'info' : gravity === 'error' ? 'error' : 'warning', message),
    onProgress: (progress) =>
      execution.progress({
        phase: progress.phase,
        bytesDone: progress.bytesDone,
        itemsDone: progress.treesDone,
      }),
  });
  await execution.assertHeld();
  const affected = new Set(report.affected.map(({ snapshot }) => snapshot));
  const at = new Date(opened.thing.clock.nowMs());
  const proof = {
    rung: percent === undefined ? 'checked' : 'verified',
    at,
    jobId: execution.job.id,
    comparisons: comparisonsOf(report),
    note: noteOf(report, turn.words),
  } as const;
  // Of a repository that is not sound, what is not named as affected is not proven either.
  const proven = report.isSound ? known : [];
  await recordProof(records, { ...proof, state: 'proven' }, proven);
  await recordProof(
    records,
    { ...proof, state: 'failed' },
    known.filter(({ id }) => affected.has(id)),
  );
  const reason = reasonOf(report);
  await noteRepository(records, name, {
    lastCheckedAt: at.toISOString(),
    state: reason ? 'damaged' : 'ready',
    ...(reason && { reason }),
  });
  await turn.take();
  execution.log('info', `${name}: ${proof.note}; ${reason?.message ?? 'nothing is wrong'}`);
  const { snapshots, packs, packsRead, bytesRead } = report;
  const errors = errorsOf(report);
  const counts = { snapshots, packs, packsRead, bytesRead, errors };
  return { state: reason ? 'failed' : 'succeeded', counts, ...(reason && { reason }) };
}

/** Which part of the bytes has its turn; each run takes the next one. */
async function turnOf({ context, repository, percent }: Work): Promise<{
  readData: ReadDataChoice;
  words: string;
  take(): Promise<void>;
}> {
  if (percent === undefined) return { readData: 'none', words: 'structure', take: async () => {} };
  const { settings } = context.records;
  const of = Math.ceil(100 / percent);
  const name = `verify.${repository}`;
  const done = (await settings.find<number>(name)) ?? 0;
  const part = (done % of) + 1;
  return {
    readData: of === 1 ? 'all' : { part, of },
    words: of === 1 ? 'every byte' : `part ${part} of ${of}`,
    take: () => settings.save(name, part),
  };
}

function errorsOf({ findings }: CheckReport): number {
  return findings.filter(({ gravity }) => gravity === 'error').length;
}

function comparisonsOf(report: CheckReport) {
  const found = `${errorsOf(report)}`;
  return [{ what: 'errors', expected: '0', found, isEqual: report.isSound }];
}

function noteOf({ snapshots, packs, packsRead, bytesRead }: CheckReport, words: string): string {
  const read = packsRead > 0 ? `, ${packsRead} read again (${formatSize(bytesRead)})` : '';
  return `${words}: ${snapshots} snapshots, ${packs} packs${read}`;
}

function reasonOf({ findings, isSound, affected }: CheckReport) {
  const first = findings.find(({ gravity }) => gravity === 'error');
  if (isSound || !first) return undefined;
  const files = affected.length > 0 ? `; ${affected.length} files or folders cannot be restored whole` : '';
  return {
    code: 'plans.damaged',
    message: `${first.message}${files}`,
    hint: 'Run the plans that write there once more, then `holdfast repair`; its guide says what can be saved.',
  };
}
