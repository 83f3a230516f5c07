import { messageOf, systemClock } from '#base';
import type { JobKind } from '#jobs';
import { lookAtRepository } from './look-at-repository.ts';
import type { PartResult } from './part-result.ts';
import type { WorkContext } from './work-context.ts';

/** Lets a kind of job end by looking at the repositories that it wrote to, so that what is shown of them is true. */
export function lookingAfter<Input>(
  kind: JobKind<Input>,
  { records, surroundings }: WorkContext,
): JobKind<Input> {
  return {
    ...kind,
    async run(execution, input) {
      const verdict = await kind.run(execution, input);
      const { parts = [] } = (verdict.result ?? {}) as { parts?: PartResult[] };
      const names = new Set(parts.flatMap(({ repository }) => repository ?? []));
      for (const name of names) {
        const repository = await records.repositories.find(name);
        if (!repository) continue;
        await lookAtRepository(
          { records, surroundings, clock: surroundings.clock ?? systemClock },
          repository,
        ).catch((error: unknown) =>
          // The work itself is done; that nobody could look is said, and the page keeps the time of the last look.
          execution.log('warning', `cannot look at ${name}: ${messageOf(error)}`),
        );
      }
      return verdict;
    },
  };
}
