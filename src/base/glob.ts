/**
 * One name against one pattern: `*`, `?`, `[a-z]` and `\x`. Dialects: *go*, Go's filepath.Match, whose classes
 * are negated by `^`; *git*, git's wildmatch, which knows `!`, a leading `]` and `[:alpha:]` besides.
 */
export type GlobDialect = 'go' | 'git';
export type Glob = (name: string) => boolean;

interface CharacterClass {
  isNegated: boolean;
  /** Pairs: first and last code point. */
  ranges: number[];
}

const anyCharacter = -1;
const anyText = -2;
/** A code point, `anyCharacter`, `anyText` or a class. */
type Token = number | CharacterClass;

/** The pattern as a function, or undefined when it is malformed. */
export function compileGlob(pattern: string, dialect: GlobDialect): Glob | undefined {
  if (!/[*?[\\]/.test(pattern)) return (name) => name === pattern;
  if (/^\*[^*?[\\]*$/.test(pattern)) {
    const ending = pattern.slice(1);
    return (name) => name.endsWith(ending);
  }
  const tokens = new GlobParser(pattern, dialect).parse();
  return tokens && ((name) => matches(tokens, name));
}

/**
 * In time proportional to pattern × name, whatever the pattern: only the last `*` is ever tried again,
 * since what the earlier ones could take, it can take too.
 */
function matches(tokens: Token[], name: string): boolean {
  let token = 0;
  let at = 0;
  let retryToken = -1;
  let retryAt = 0;
  while (at < name.length || token < tokens.length) {
    if (tokens[token] === anyText) {
      retryToken = token++;
      retryAt = at;
      continue;
    }
    const code = name.codePointAt(at);
    if (code !== undefined && token < tokens.length && accepts(tokens[token]!, code)) {
      token++;
      at += width(code);
    } else {
      const skipped = retryToken < 0 ? undefined : name.codePointAt(retryAt);
      if (skipped === undefined) return false;
      retryAt += width(skipped);
      at = retryAt;
      token = retryToken + 1;
    }
  }
  return true;
}

function width(code: number): number {
  return code > 0xffff ? 2 : 1;
}

function accepts(token: Token, code: number): boolean {
  if (typeof token === 'number') return token === code || token === anyCharacter;
  const { ranges, isNegated } = token;
  for (let i = 0; i < ranges.length; i += 2)
    if (code >= ranges[i]! && code <= ranges[i + 1]!) return !isNegated;
  return isNegated;
}

const posixClasses: Record<string, string> = {
  alnum: 'azAZ09',
  alpha: 'azAZ',
  blank: '\t\t  ',
  cntrl: '\x00\x1f\x7f\x7f',
  digit: '09',
  graph: '!~',
  lower: 'az',
  print: ' ~',
  punct: '!/:@[`{~',
  space: '\t\r  ',
  upper: 'AZ',
  xdigit: '09afAF',
};

class GlobParser {
  readonly #pattern: string;
  readonly #dialect: GlobDialect;
  #at = 0;

  constructor(pattern: string, dialect: GlobDialect) {
    this.#pattern = pattern;
    this.#dialect = dialect;
  }

  parse(): Token[] | undefined {
    const tokens: Token[] = [];
    while (this.#at < this.#pattern.length) {
      const token = this.#token();
      if (token === undefined) return undefined;
      if (token !== anyText || tokens.at(-1) !== anyText) tokens.push(token);
    }
    return tokens;
  }

  #token(): Token | undefined {
    const code = this.#next();
    switch (code) {
      case 0x2a:
        return anyText;
      case 0x3f:
        return anyCharacter;
      case 0x5b:
        return this.#class();
      case 0x5c:
        return this.#next();
      default:
        return code;
    }
  }

  /** What follows `[`, up to and with `]`. */
  #class(): CharacterClass | undefined {
    const isGit = this.#dialect === 'git';
    const isNegated = this.#take('^') || (isGit && this.#take('!'));
    const ranges: number[] = [];
    for (let isFirst = true; ; isFirst = false) {
      // git takes a leading `]` for itself; to go it is an empty, malformed class.
      if (!(isGit && isFirst) && this.#take(']')) break;
      const named = isGit && this.#namedClass();
      if (named) {
        for (const edge of named) ranges.push(edge.charCodeAt(0));
        continue;
      }
      const low = this.#classCharacter();
      const high = this.#isRange() ? this.#classCharacter() : low;
      if (low === undefined || high === undefined) return undefined;
      ranges.push(low, high);
    }
    return ranges.length ? { isNegated, ranges } : undefined;
  }

  #classCharacter(): number | undefined {
    const next = this.#peek();
    if (this.#dialect === 'go' && (next === '-' || next === ']')) return undefined;
    if (next === '\\') this.#at++;
    return this.#next();
  }

  /** Steps over the `-` of `a-z`; to git a `-` at the end of a class stands for itself. */
  #isRange(): boolean {
    return !(this.#dialect === 'git' && this.#pattern[this.#at + 1] === ']') && this.#take('-');
  }

  /** The ranges of `[:name:]`. */
  #namedClass(): string | undefined {
    const found = /^\[:([a-z]+):\]/.exec(this.#pattern.slice(this.#at));
    const ranges = found && posixClasses[found[1]!];
    if (ranges) this.#at += found[0].length;
    return ranges ?? undefined;
  }

  #peek(): string | undefined {
    return this.#pattern[this.#at];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #next(): number | undefined {
    const code = this.#pattern.codePointAt(this.#at);
    if (code !== undefined) this.#at += width(code);
    return code;
  }
}
