import { posix } from 'node:path';
import { compileGlob, type Glob } from '#base';
import { SourceError } from '../errors.ts';

/** `**` in a pattern. */
const anyFolders = Symbol('**');
type Part = Glob | typeof anyFolders;

interface PathPattern {
  isNegated: boolean;
  /** Starts with `/`: compared from the root only. Others match at any depth. */
  isAbsolute: boolean;
  parts: Part[];
}

/**
 * Exclude patterns as restic understands them (internal/filter): names are compared by filepath.Match, `**` stands
 * for any number of folders, and a pattern that matches a folder matches all that is in it. Later patterns
 * with `!` take back what earlier ones matched.
 */
export class PathPatterns {
  readonly #patterns: PathPattern[];

  /** @throws SourceError 'sources.pattern' */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.filter((text) => text !== '').map(parsePattern);
  }

  get isEmpty(): boolean {
    return this.#patterns.length === 0;
  }

  /** @param names of an absolute path, from the root down */
  match(names: readonly string[]): boolean {
    let isMatched = false;
    for (const pattern of this.#patterns)
      if (isMatched === pattern.isNegated && matchesPath(pattern, names)) isMatched = !pattern.isNegated;
    return isMatched;
  }

  /** Whether something below a folder may match. @param names of its absolute path */
  mayMatchBelow(names: readonly string[]): boolean {
    let mayMatch = false;
    for (const pattern of this.#patterns)
      if (pattern.isNegated) mayMatch &&= !matchesPath(pattern, names);
      else mayMatch ||= leadsTo(pattern, names);
    return mayMatch;
  }
}

function parsePattern(text: string): PathPattern {
  const isNegated = text.startsWith('!');
  const path = posix.normalize(isNegated ? text.slice(1) : text).replace(/(?<=.)\/$/, '');
  const isAbsolute = path.startsWith('/');
  const parts = path.split('/').map((part): Part => {
    const glob = part === '**' ? anyFolders : compileGlob(part, 'go');
    if (glob) return glob;
    throw new SourceError('sources.pattern', `malformed exclude pattern ${text}`, {
      hint: 'Close each [ with a ], put a character after each backslash, and escape [ as \\[ where it is meant itself.',
    });
  });
  return { isNegated, isAbsolute, parts: isAbsolute ? parts.slice(path === '/' ? 2 : 1) : parts };
}

function matchesPath({ isAbsolute, parts }: PathPattern, names: readonly string[]): boolean {
  const anyFoldersMax = names.length - parts.length + (isAbsolute ? 1 : 2);
  if (isAbsolute) return matchesFrom(parts, { part: 0, names, at: 0, anyFoldersMax });
  // From the end, where a match is likelier: upper folders were compared when they were entered.
  for (let start = names.length - 1; start >= 0; start--)
    if (matchesFrom(parts, { part: 0, names, at: start, anyFoldersMax })) return true;
  return false;
}

/** Whether a folder is on the way to what the pattern matches, or below it. */
function leadsTo({ isAbsolute, parts }: PathPattern, names: readonly string[]): boolean {
  if (!isAbsolute) return true;
  for (const [i, part] of parts.slice(0, names.length).entries()) {
    if (part === anyFolders) return true;
    if (!part(names[i]!)) return false;
  }
  return true;
}

interface Position {
  part: number;
  names: readonly string[];
  at: number;
  /**
   * How many folders the next `**` may stand for. restic counts every further `**` as a name there, so that the
   * first of two takes one less than it could; what restic saves for that reason, we save too.
   */
  anyFoldersMax: number;
}

/** Whether the parts from `part` on match the names from `at` on; names may be left over. */
function matchesFrom(parts: readonly Part[], { part, names, at, anyFoldersMax }: Position): boolean {
  const wanted = parts[part];
  if (wanted === undefined) return true;
  if (wanted !== anyFolders)
    return (
      at < names.length &&
      wanted(names[at]!) &&
      matchesFrom(parts, { part: part + 1, names, at: at + 1, anyFoldersMax })
    );
  for (let count = 0; count <= Math.min(anyFoldersMax, names.length - at); count++) {
    const next = { part: part + 1, names, at: at + count, anyFoldersMax: anyFoldersMax - count + 1 };
    if (matchesFrom(parts, next)) return true;
  }
  return false;
}
