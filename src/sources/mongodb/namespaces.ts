import { SourceError } from '../errors.ts';

/** Which namespaces are wanted. Patterns are mongorestore's: `*` stands for any characters, dots too; `\*` is a star. */
export interface NamespaceChoice {
  /** Only this database. */
  database?: string | undefined;
  /** Only this collection of it. */
  collection?: string | undefined;
  includes?: readonly string[] | undefined;
  excludes?: readonly string[] | undefined;
}

export interface DumpChoice extends NamespaceChoice {
  /** Users and roles, which lie in `admin`. */
  withUsers?: boolean | undefined;
}

const configCollections = new Set([
  'chunks',
  'collections',
  'databases',
  'settings',
  'shards',
  'tags',
  'version',
]);
const userCollections = new Set(['system.users', 'system.roles', 'system.version']);

/** Whether a whole database is left out unless it is named: a node's own state, not data. As mongodump does. */
export function isDumpedDatabase(database: string, choice: DumpChoice): boolean {
  if (choice.database !== undefined) return database === choice.database;
  return database !== 'local' && !database.startsWith('__mdb_internal');
}

/** Whether a collection comes into a dump: mongodump's own rules, then the choice. */
export function isDumpedCollection(database: string, collection: string, choice: DumpChoice): boolean {
  if (!isData(database, collection, choice)) return false;
  if (choice.collection !== undefined && collection !== choice.collection) return false;
  return namespaceFilter(choice)(`${database}.${collection}`);
}

function isData(database: string, collection: string, choice: DumpChoice): boolean {
  if (collection.includes('$') && collection !== 'oplog.$main') return false;
  if (database === 'admin') {
    if (userCollections.has(collection)) return choice.withUsers ?? false;
    return !collection.startsWith('system.');
  }
  if (database === 'config') return choice.database === 'config' || configCollections.has(collection);
  return !collection.startsWith('system.') || collection === 'system.js';
}

/** The pattern that means just this namespace. */
export function literalPattern(namespace: string): string {
  return namespace.replaceAll(/[\\*$]/g, '\\$&');
}

/** Whether a dump that was made by one choice holds all that another wants. When in doubt, no. */
export function coversChoice(made: DumpChoice, wanted: DumpChoice): boolean {
  if (wanted.withUsers && !made.withUsers) return false;
  const isWhole =
    made.database === undefined &&
    made.collection === undefined &&
    (made.includes ?? []).length === 0 &&
    (made.excludes ?? []).length === 0;
  const parts = ({ database, collection, includes, excludes }: DumpChoice): string =>
    JSON.stringify([database ?? null, collection ?? null, includes ?? [], excludes ?? []]);
  return isWhole || parts(made) === parts(wanted);
}

/** @throws SourceError 'sources.pattern' */
export function namespaceFilter({
  includes = [],
  excludes = [],
}: NamespaceChoice): (namespace: string) => boolean {
  const [wanted, unwanted] = [includes, excludes].map((list) => list.map((text) => compile(text).matcher));
  return (namespace) =>
    (wanted!.length === 0 || wanted!.some((one) => one.test(namespace))) &&
    !unwanted!.some((one) => one.test(namespace));
}

/**
 * Renames namespaces as mongorestore's `--nsFrom` and `--nsTo` do: stars are taken over in order, `$name$` by name.
 * Pairs are tried in order; what matches none keeps its name. @throws SourceError 'sources.pattern'
 */
export function namespaceRenamer(
  pairs: readonly { from: string; to: string }[],
): (namespace: string) => string {
  const rules = pairs.map(({ from, to }) => {
    const { matcher, variables } = compile(from);
    const parts = partsOf(to);
    const stars = variables.filter((name) => name === '*').length;
    const isKnown = parts.every(
      ({ variable }) => !variable || variable === '*' || variables.includes(variable),
    );
    if (!isKnown || parts.filter(({ variable }) => variable === '*').length !== stars)
      throw badPattern(to, `it does not have the same stars and $names$ as ${JSON.stringify(from)}`);
    return { matcher, variables, parts };
  });
  return (namespace) => {
    for (const { matcher, variables, parts } of rules) {
      const values = matcher.exec(namespace)?.slice(1);
      if (values) return fill(parts, variables, values);
    }
    return namespace;
  };
}

interface PatternPart {
  text: string;
  /** `*`, or the name between two dollars. */
  variable?: string;
}

function fill(
  parts: readonly PatternPart[],
  variables: readonly string[],
  values: readonly string[],
): string {
  const stars = values.filter((_, i) => variables[i] === '*');
  return parts
    .map(({ text, variable }) => {
      if (variable === undefined) return text;
      return variable === '*' ? stars.shift()! : values[variables.indexOf(variable)]!;
    })
    .join('');
}

function compile(pattern: string): { matcher: RegExp; variables: string[] } {
  const parts = partsOf(pattern);
  const source = parts.map(({ text, variable }) =>
    variable === undefined ? RegExp.escape(text) : variable === '*' ? '(.*)' : '([^.]*?)',
  );
  const variables = parts.flatMap(({ variable }) => (variable === undefined ? [] : [variable]));
  return { matcher: new RegExp(`^${source.join('')}$`, 's'), variables };
}

function partsOf(pattern: string): PatternPart[] {
  if (pattern === '') throw badPattern(pattern, 'it is empty');
  return [...pattern.matchAll(/\\(.)|(\*)|\$([^$.*]+)\$|(.)/gs)].map(([, literal, star, name, other]) => {
    const variable = star ?? name;
    return variable === undefined ? { text: literal ?? other! } : { text: '', variable };
  });
}

function badPattern(pattern: string, reason: string): SourceError {
  return new SourceError(
    'sources.pattern',
    `the pattern ${JSON.stringify(pattern)} cannot be used: ${reason}`,
    {
      hint: 'Write it like shop.* or *.orders; a star that belongs to the name is written \\*.',
    },
  );
}
