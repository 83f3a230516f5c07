import type { FileAttributes } from '#base';
import { PathPatterns, toLowerText } from '#sources';

export interface RestoreFilterOptions {
  /** Patterns in restic's syntax, see `PathPatterns`. */
  includes?: readonly string[] | undefined;
  includesIgnoringCase?: readonly string[] | undefined;
  excludes?: readonly string[] | undefined;
  excludesIgnoringCase?: readonly string[] | undefined;
}

/**
 * What a restore does with an entry: *yes*, it is restored; *no*, it is not, nor what is below it; *below*, it is a
 * folder on the way, made only when something in it is restored.
 */
export type RestoreVerdict = 'yes' | 'no' | 'below';

/** @param path from the snapshot's root, `/a/b`, as text for patterns (`patternTextOf` of each name) */
export type IsWanted = (path: string, type: FileAttributes['type']) => RestoreVerdict;

/**
 * Decides as restic's `restore --include --exclude` does: with includes only what matches one; never what matches
 * an exclude, nor what is below it.
 * @throws SourceError 'sources.pattern'
 */
export function restoreFilter(options: RestoreFilterOptions): IsWanted {
  const includes = bothKinds(options.includes, options.includesIgnoringCase);
  const excludes = bothKinds(options.excludes, options.excludesIgnoringCase);
  return (path, type) => {
    if (excludes.match(path)) return 'no';
    if (includes.isEmpty || includes.match(path)) return 'yes';
    return type === 'dir' && includes.mayMatchBelow(path) ? 'below' : 'no';
  };
}

/** Patterns that respect case and patterns that do not, as one. */
function bothKinds(exact: readonly string[] = [], ignoringCase: readonly string[] = []) {
  const patterns = new PathPatterns(exact);
  const lowered = new PathPatterns(ignoringCase.map(toLowerText));
  const namesOf = (path: string) => path.split('/').slice(1);
  const ask = (path: string, question: 'match' | 'mayMatchBelow'): boolean =>
    (!patterns.isEmpty && patterns[question](namesOf(path))) ||
    (!lowered.isEmpty && lowered[question](namesOf(toLowerText(path))));
  return {
    isEmpty: patterns.isEmpty && lowered.isEmpty,
    match: (path: string) => ask(path, 'match'),
    mayMatchBelow: (path: string) => ask(path, 'mayMatchBelow'),
  };
}
