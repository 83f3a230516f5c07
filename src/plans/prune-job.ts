import { z } from 'zod';
import type { JobVerdict } from '#catalog';
import { Name, RepositorySpec } from '#contract';
import type { JobKind } from '#jobs';
import { pruneRepository } from '#repository';
import { noteRepository } from './look-at-repository.ts';
import { openForJob } from './open-specs.ts';
import type { WorkContext } from './work-context.ts';

export const PruneJobInput = z.object({ repository: Name, spec: RepositorySpec });
export type PruneJobInput = z.infer<typeof PruneJobInput>;

/** Frees the space of what no snapshot needs: marked by one run, deleted by a later one. What is in the trash is needed. */
export function pruneJob({ surroundings, records }: WorkContext): JobKind<PruneJobInput> {
  return {
    name: 'prune',
    version: 1,
    parse: (input) => PruneJobInput.parse(input),
    async run(execution, { repository: name, spec }): Promise<JobVerdict> {
      const counts = await execution.step(`prune ${name}`, async (signal) => {
        await execution.assertHeld();
        await using opened = await openForJob(spec, surroundings, signal);
        const { packs } = await pruneRepository(opened.thing, {
          signal,
          onProgress: ({ phase, packsDeleted, packsTotal }) =>
            execution.progress({ phase, bytesDone: 0, itemsDone: packsDeleted, itemsTotal: packsTotal }),
        });
        const { marked, deleted, repacked, kept } = packs;
        const { clock } = opened.thing;
        await noteRepository(records, name, { lastPrunedAt: new Date(clock.nowMs()).toISOString() });
        return {
          markedPacks: marked.count,
          deletedPacks: deleted.count,
          deletedBytes: deleted.sizeBytes,
          repackedPacks: repacked.count,
          keptPacks: kept.count,
        };
      });
      execution.log('info', `${counts.markedPacks} packs marked, ${counts.deletedPacks} deleted for good`);
      return { state: 'succeeded', result: { parts: [{ repository: name, state: 'succeeded', counts }] } };
    },
  };
}
