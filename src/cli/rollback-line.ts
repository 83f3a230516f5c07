import { bucketRootOf, sourceKindOf } from '#sources';
import type { ProvenSnapshot } from '#workflows';
import { commandText, withoutPasswords } from './command-text.ts';

/**
 * The one command that brings a source back to a snapshot. It holds no secret: a URL that has one comes from the
 * environment, or must be completed.
 * @param sources as they were given; empty when HOLDFAST_SOURCE_URL was taken
 */
export function rollbackLine(
  { snapshot, databases }: Pick<ProvenSnapshot, 'snapshot' | 'databases'>,
  { repository, sources }: { repository: string; sources: readonly string[] },
): string {
  const [source = ''] = sources;
  const kind = sourceKindOf(source === '' ? (process.env.HOLDFAST_SOURCE_URL ?? '') : source);
  const id = snapshot.id.slice(0, 8);
  const restore = (from: string, ...more: string[]): string =>
    commandText(['holdfast', 'restore', from, '-r', withoutPasswords(repository), ...more]);
  if (kind === 'files') return restore(id, '--target', '/');
  const places = kind === 'bucket' ? [] : ['--drop', ...databases.flatMap((name) => ['--yes-drop', name])];
  const from = kind === 'bucket' ? `${id}:${bucketRootOf(source || process.env.HOLDFAST_SOURCE_URL!)}` : id;
  if (sources.length === 0) return `HOLDFAST_TARGET="$HOLDFAST_SOURCE_URL" ${restore(from, ...places)}`;
  return restore(from, '--target', withoutPasswords(source), ...places);
}
