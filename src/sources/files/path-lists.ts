import { readdirSync } from 'node:fs';
import { compileGlob, messageOf, systemCodeOf } from '#base';
import { SourceError } from '../errors.ts';
import { type ByteText, fromByteText, toByteText, toPatternText, toPrintable } from './names.ts';
import { cleanPath, mayExist } from './start-paths.ts';

/**
 * The patterns of an exclude file, as restic reads it: one a line, blanks trimmed, `#` starts a comment line,
 * `$NAME` and `${NAME}` are replaced by the environment (`$$` is a `$`).
 */
export function parseExcludeFile(content: string, environment: NodeJS.ProcessEnv): string[] {
  return usefulLines(content, (line) => line.trim()).map((line) =>
    line.replace(/\$(?:\{([^}]*)\}|(\d|[A-Za-z_]\w*)|([$*#@!?-]))/g, (_, braced, plain, special) =>
      special === '$' || braced === '$' ? '$' : (environment[braced ?? plain ?? special] ?? ''),
    ),
  );
}

/** How a list of paths is written: restic's `--files-from`, `--files-from-verbatim` and `--files-from-raw`. */
export type PathListForm = 'patterns' | 'verbatim' | 'raw';

export interface PathList {
  paths: Uint8Array[];
  /** Patterns that match nothing: to be reported as problems. */
  unmatched: string[];
}

/**
 * The paths in a list. *patterns*: one a line, trimmed, `#` comments, each a pattern of `*`, `?`, `[…]` matched
 * against what exists below `cwd`; *verbatim*: each line as it stands; *raw*: each path ended by a NUL byte.
 * @throws SourceError 'sources.list'
 */
export function parsePathList(content: Uint8Array, form: PathListForm, cwd: string): PathList {
  const text = toByteText(content);
  if (form === 'raw') return { paths: parseRaw(text), unmatched: [] };
  if (form === 'verbatim') {
    const lines = text.split(/\r?\n/).filter((line) => line !== '');
    return { paths: lines.map(fromByteText), unmatched: [] };
  }
  const list: PathList = { paths: [], unmatched: [] };
  for (const pattern of usefulLines(text, trimBytes)) {
    const found = findMatches(cleanPath(fromByteText(pattern), cwd)).filter(mayExist);
    if (found.length === 0) list.unmatched.push(toPrintable(pattern));
    list.paths.push(...found.map(fromByteText));
  }
  return list;
}

function usefulLines(content: string, trim: (line: string) => string): string[] {
  const lines = content.replace(/^(\ufeff|\xef\xbb\xbf)/, '').split('\n');
  return lines.map(trim).filter((line) => line !== '' && !line.startsWith('#'));
}

/** Not `trim`: the last byte of `à` alone looks like a blank. */
function trimBytes(line: ByteText): ByteText {
  return line.replace(/^[\t-\r ]+|[\t-\r ]+$/g, '');
}

function parseRaw(text: ByteText): Uint8Array[] {
  if (text === '') return [];
  const paths = text.split('\0');
  if (paths.pop() !== '' || paths.includes(''))
    throw new SourceError('sources.list', 'malformed list of raw paths', {
      hint: 'End each path with one NUL byte, as find -print0 does.',
    });
  return paths.map(fromByteText);
}

/** What matches a clean absolute pattern; a name without magic characters matches itself, whether it exists or not. */
function findMatches(pattern: ByteText): ByteText[] {
  let found: ByteText[] = [''];
  for (const part of pattern.slice(1).split('/'))
    found = found.flatMap((folder) => matchesIn(folder, part, pattern));
  return found;
}

function matchesIn(folder: ByteText, part: ByteText, pattern: ByteText): ByteText[] {
  if (!/[*?[\\]/.test(part)) return [`${folder}/${part}`];
  const glob = compileGlob(toPatternText(part), 'go');
  if (!glob) throw malformed(pattern);
  try {
    const names = readdirSync(fromByteText(`${folder}/`), { encoding: 'latin1' });
    const matching = names.filter((name) => glob(toPatternText(name))).sort();
    return matching.map((name) => `${folder}/${name}`);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return [];
    throw new SourceError('sources.list', `cannot list ${toPrintable(folder)}: ${messageOf(error)}`, {
      cause: error,
      hint: 'Give this account the right to read the folder, or list its files by name.',
    });
  }
}

function malformed(pattern: ByteText): SourceError {
  return new SourceError('sources.list', `malformed pattern ${toPrintable(pattern)} in a list of paths`, {
    hint: 'Close each [ with a ], or use --files-from-verbatim for names that contain such characters.',
  });
}
