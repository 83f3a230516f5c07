import { posix } from 'node:path';
import { compileGlob, type Glob, patternTextOf } from '#base';
import { RepositoryError } from '../errors.ts';

/** `**` in a pattern, and the place behind its last part. */
const anyFolders = Symbol('**');
const end = Symbol('end');
type Part = Glob | typeof anyFolders | typeof end;

/** How far into the patterns a path has come. */
export interface PathPlace {
  /** Numbers of the parts that the next name may match; without any, nothing below can match. */
  parts: readonly number[];
  /** The same as text: two folders with the same place and the same content have the same matches. */
  key: string;
  isMatch: boolean;
}

/**
 * Patterns of paths as restic understands them (internal/filter): names are compared by Go's filepath.Match, `**`
 * stands for any number of folders, a leading `/` binds to the root, and what matches a folder matches all in it.
 */
export class PathPatterns {
  /** The parts of all patterns, one pattern after the other. */
  readonly #parts: Part[] = [];
  /** Where patterns begin that match at any depth. */
  readonly #floating: number[] = [];
  readonly #ignoreCase: boolean;
  /** The place of the root. */
  readonly start: PathPlace;

  /** @throws RepositoryError 'repository.pattern' */
  constructor(patterns: readonly string[], { ignoreCase }: { ignoreCase: boolean }) {
    this.#ignoreCase = ignoreCase;
    const starts: number[] = [];
    for (const pattern of patterns) {
      const path = posix.normalize(ignoreCase ? pattern.toLowerCase() : pattern);
      starts.push(this.#parts.length);
      if (!path.startsWith('/')) this.#floating.push(this.#parts.length);
      for (const part of path.split('/').filter((one) => one !== '')) this.#parts.push(partOf(part, pattern));
      this.#parts.push(end);
    }
    this.start = this.#placeAt(starts);
  }

  /** The place of an entry of a folder. */
  next(folder: PathPlace, name: Uint8Array): PathPlace {
    if (folder.isMatch) return folder;
    const text = patternTextOf(name);
    const shown = this.#ignoreCase ? text.toLowerCase() : text;
    const reached = [...this.#floating];
    const isAccepted = (at: number): boolean => {
      const part = this.#parts[at]!;
      return typeof part === 'function' && part(shown);
    };
    for (const at of folder.parts) {
      if (this.#parts[at] === anyFolders) reached.push(at);
      else if (isAccepted(at)) reached.push(at + 1);
    }
    return this.#placeAt(reached);
  }

  #placeAt(reached: readonly number[]): PathPlace {
    const all = new Set<number>();
    for (let at of reached) {
      all.add(at);
      // `**` may stand for no folder at all.
      while (this.#parts[at] === anyFolders) all.add(++at);
    }
    const parts = [...all].sort((a, b) => a - b);
    return { parts, key: parts.join(), isMatch: parts.some((at) => this.#parts[at] === end) };
  }
}

function partOf(text: string, pattern: string): Part {
  const part = text === '**' ? anyFolders : compileGlob(text, 'go');
  if (part) return part;
  throw new RepositoryError('repository.pattern', `malformed pattern ${pattern}`, {
    hint: 'Close each [ with a ], put a character after each backslash, and escape [ as \\[ where it is meant itself.',
  });
}
