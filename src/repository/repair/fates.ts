import type { RepositoryIndex } from '../index/repository-index.ts';
import type { PackFate } from '../index/rewrite-index.ts';

/** Every pack stays what it is, live or marked, but for those that are to be dropped, by number. */
export function fatesWithout(
  index: RepositoryIndex,
  dropped: ReadonlySet<number>,
): (pack: number) => PackFate {
  const markedAtMs = new Map(index.markedPacks.map((pack) => [pack.id, pack.markedAtMs]));
  return (pack) => {
    if (dropped.has(pack)) return 'dropped';
    if (index.isLive(pack)) return 'live';
    return { markedAtMs: markedAtMs.get(index.packs.idOf(pack)) ?? 0 };
  };
}
