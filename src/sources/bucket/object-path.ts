import { SourceError } from '../errors.ts';

/*
 * Keys and paths: docs/format/bucket-source.md. Keys are texts, names are texts without `/`; both well-formed.
 */

/** A name is cut where it has at least so many bytes and more follows; with its mark it fits every file system. */
const nameBytesEnough = 240;

/** Ends the name of a folder in which a long name goes on. */
const goesOn = '%+';
/** Ends the name of an object beside which a folder has the same name. */
const besideFolder = '%=';
const empty = '%';

/** The names from the root that stand for a key in a tree. */
export function pathOfKey(key: string): string[] {
  return key.split('/').flatMap(namesOf);
}

/** The path of an object beside which a folder has the same name, `a` beside `a/b`. */
export function pathBesideFolder(path: readonly string[]): string[] {
  return path.with(-1, path.at(-1)! + besideFolder);
}

/** The key that a path stands for. @throws SourceError 'sources.name' for a path that no key has */
export function keyOfPath(path: readonly string[]): string {
  let key = '';
  for (const [i, name] of path.entries()) {
    const isLast = i === path.length - 1;
    if (isLast) key += unescaped(name.endsWith(besideFolder) ? name.slice(0, -2) : name);
    else if (name.endsWith(goesOn)) key += unescaped(name.slice(0, -2));
    else key += `${unescaped(name)}/`;
  }
  return key;
}

/**
 * One part of a key as names: one, or several when it is long. Where it is cut depends on nothing that follows, so
 * that all keys in a folder stand side by side in the order of keys.
 */
function namesOf(part: string): string[] {
  const names: string[] = [];
  let name = '';
  let sizeBytes = 0;
  for (const character of part) {
    if (sizeBytes >= nameBytesEnough) {
      names.push(name + goesOn);
      name = '';
      sizeBytes = 0;
    }
    const text = escaped(character);
    name += text;
    sizeBytes += Buffer.byteLength(text);
  }
  if (name === '') name = empty;
  if (name === '.' || name === '..') name = name.replaceAll('.', '%2E');
  return [...names, name];
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  if (code >= 0x20 && code !== 0x7f && character !== '%') return character;
  return `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

function unescaped(name: string): string {
  if (name === empty) return '';
  return name.replaceAll(/%([0-9A-F]{2})?/g, (_, hex: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    throw new SourceError('sources.name', `${JSON.stringify(name)} stands for no key of an object`, {
      hint: 'In a snapshot of a bucket each % is followed by two digits; restore this one to a folder.',
    });
  });
}
