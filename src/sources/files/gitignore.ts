import { compileGlob, type Glob } from '#base';
import type { ByteText } from './names.ts';

/** `**` between slashes. */
const anyFolders = Symbol('**');
type Part = Glob | typeof anyFolders;

interface Rule {
  isNegated: boolean;
  /** Written with a `/` at the end: folders only. */
  isForFolders: boolean;
  /** Without a `/` inside, a rule is compared with the last name only, at any depth. */
  isAnchored: boolean;
  parts: Part[];
}

/** What an ignore file says of a path: excluded, taken back by `!`, or nothing. */
export type Verdict = 'ignored' | 'kept' | undefined;

/** The rules of one `.gitignore`-like file (gitignore(5)); the last one that matches decides. Bytes are compared. */
export class IgnoreFile {
  readonly #rules: Rule[];

  constructor(content: ByteText) {
    // A byte order mark, as bytes.
    const lines = content.replace(/^\xef\xbb\xbf/, '').split(/\r?(?:\n|$)/);
    this.#rules = lines.map(parseRule).filter((rule) => rule !== undefined);
  }

  /**
   * @param names of the path below the folder that holds the ignore file
   * @param start index of the first of them
   */
  verdict(names: readonly ByteText[], start: number, isFolder: boolean): Verdict {
    for (let i = this.#rules.length - 1; i >= 0; i--) {
      const rule = this.#rules[i]!;
      if ((isFolder || !rule.isForFolders) && matchesRule(rule, names, start))
        return rule.isNegated ? 'kept' : 'ignored';
    }
    return undefined;
  }
}

function parseRule(line: ByteText): Rule | undefined {
  // Blanks at the end count only when escaped.
  let text = line.replace(/^((?:\\.|[^\\])*?) +$/, '$1');
  if (text === '' || text.startsWith('#')) return undefined;
  const isNegated = text.startsWith('!');
  if (isNegated) text = text.slice(1);
  const isForFolders = text.endsWith('/');
  if (isForFolders) text = text.slice(0, -1);
  const isAnchored = text.includes('/');
  const parts: Part[] = [];
  for (const part of text.replace(/^\//, '').split('/')) {
    const glob = part === '**' && isAnchored ? anyFolders : compileGlob(part, 'git');
    // A malformed pattern matches nothing, as in git.
    if (!glob || part === '') return undefined;
    parts.push(glob);
  }
  return { isNegated, isForFolders, isAnchored, parts };
}

function matchesRule({ isAnchored, parts }: Rule, names: readonly ByteText[], start: number): boolean {
  if (isAnchored) return matchesAll(parts, 0, names, start);
  const [glob] = parts;
  return typeof glob === 'function' && glob(names[names.length - 1]!);
}

/** Whether the parts from `part` on match all names from `at` on. */
function matchesAll(parts: readonly Part[], part: number, names: readonly ByteText[], at: number): boolean {
  const wanted = parts[part];
  if (wanted === undefined) return at === names.length;
  if (wanted !== anyFolders)
    return at < names.length && wanted(names[at]!) && matchesAll(parts, part + 1, names, at + 1);
  // At the end `**` means what is in the folder, not the folder.
  if (part === parts.length - 1) return at < names.length;
  for (let next = at; next <= names.length; next++) if (matchesAll(parts, part + 1, names, next)) return true;
  return false;
}
