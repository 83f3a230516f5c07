import type { z } from 'zod';
import type { Fault } from '#contract';
import { keysAt } from './known-keys.ts';
import type { ReferenceFault } from './reference-faults.ts';
import { suggestion } from './suggest.ts';
import type { Path, YamlText } from './yaml-text.ts';

type Issue = z.core.$ZodIssue;

interface Finding extends ReferenceFault {
  /** A rule about a thing as a whole. */
  isOfWhole?: boolean;
}

/** What a schema refused, in words, each with its place in the text. */
export function schemaFaults(issues: readonly Issue[], text: YamlText): Fault[] {
  const findings = issues.flatMap((issue) => findingsOf(issue, [], text.value));
  return findings
    .filter((finding) => !isAfterthought(finding, findings))
    .map((finding) => toFault(finding, text));
}

/** That a thing has no rule, when the rule is there and only mistyped. */
function isAfterthought({ path, isOfWhole }: Finding, all: readonly Finding[]): boolean {
  const isMistypedIn = (other: Finding) =>
    other.isKey && other.path.slice(0, -1).join('.') === path.join('.');
  return isOfWhole === true && all.some(isMistypedIn);
}

/** A fault with the place of its path. */
export function toFault({ path, message, hint, isKey = false }: ReferenceFault, text: YamlText): Fault {
  const place = isKey ? text.placeOfKey(path) : text.placeOf(path);
  return { path: path.join('.'), message, ...(hint && { hint }), ...place };
}

function findingsOf(issue: Issue, above: Path, value: unknown): Finding[] {
  const path = [...above, ...(issue.path as (string | number)[])];
  const given = valueAt(path, value);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key], value));
    case 'invalid_key':
      return [
        { path, message: `'${path.at(-1)}' cannot be a name`, hint: sentence(issue.issues[0]!), isKey: true },
      ];
    case 'invalid_union':
      return unionFindings(issue, path, value);
    case 'invalid_type':
      return [given === undefined ? missing(path) : wrongType(issue, path, given)];
    case 'invalid_value':
      return [given === undefined ? missing(path) : wrongValue(issue.values, path, given)];
    case 'too_small':
      return [{ path, message: boundText('at least', issue.origin, issue.minimum, issue.inclusive) }];
    case 'too_big':
      return [{ path, message: boundText('at most', issue.origin, issue.maximum, issue.inclusive) }];
    case 'custom':
      return [{ path, message: lowerFirst(issue.message), isOfWhole: true }];
    default:
      return [{ path, message: lowerFirst(issue.message) }];
  }
}

function unknownKey(path: Path, value: unknown): Finding {
  const key = String(path.at(-1));
  const hint = suggestion(key, keysAt(path.slice(0, -1), value));
  return { path, message: `unknown key '${key}'`, hint, isKey: true };
}

function missing(path: Path): Finding {
  return {
    path,
    message: `'${path.at(-1) ?? 'version'}' is missing`,
    hint: `Add ${path.at(-1) ?? 'version'}: here.`,
  };
}

function wrongType(issue: { expected: string }, path: Path, given: unknown): Finding {
  const expected = typeNames[issue.expected] ?? `a ${issue.expected}`;
  const hint =
    issue.expected === 'array' ? 'Write it in brackets: [one, two].' : quotesHint(issue.expected, given);
  return { path, message: `${expected} is needed here, and this is ${nameOf(given)}`, hint };
}

function quotesHint(expected: string, given: unknown): string | undefined {
  return expected === 'string' && typeof given !== 'object' ? 'Put it in quotes.' : undefined;
}

function wrongValue(values: readonly unknown[], path: Path, given: unknown): Finding {
  const words = values.filter((value) => value !== undefined && value !== null).map(String);
  // What was given may be a secret in the wrong place: told only as a hint of what is near.
  const hint = typeof given === 'string' ? suggestion(given, words) : `Use one of: ${words.join(', ')}.`;
  return { path, message: `one of ${words.join(', ')} is needed here`, hint };
}

function boundText(bound: string, origin: string, limit: number | bigint, isInclusive = true): string {
  const word = isInclusive ? bound : bound === 'at least' ? 'more than' : 'less than';
  const unit = origin === 'array' ? (limit === 1 ? ' item' : ' items') : '';
  return `${word} ${limit}${unit}${origin === 'string' ? ' characters' : ''} must be given here`;
}

function unionFindings(issue: Issue & { code: 'invalid_union' }, path: Path, value: unknown): Finding[] {
  if (issue.errors.length === 0) {
    const options = (issue as { options?: readonly unknown[] }).options ?? [];
    const given = valueAt(path, value);
    return [given === undefined ? missing(path) : wrongValue(options, path, given)];
  }
  const branches = issue.errors as readonly (readonly Issue[])[];
  const ranked = branches.map((issues) => ({ issues, rank: rankOf(issues) }));
  const best = ranked.reduce((a, b) => (b.rank >= a.rank ? b : a));
  if (best.rank === 0) {
    const expected = branches.map(
      ([first]) => typeNames[(first as { expected?: string }).expected ?? ''] ?? '',
    );
    const names = [...new Set(expected.filter(Boolean))].join(' or ');
    return [{ path, message: `${names} is needed here, and this is ${nameOf(valueAt(path, value))}` }];
  }
  return best.issues.flatMap((inner) => findingsOf(inner, path, value));
}

/** How likely a form is the one that was meant: not when the kind of value differs, rather when a rule of ours spoke. */
function rankOf(issues: readonly Issue[]): number {
  const ranks = issues.map(({ code, path }) => {
    if (path.length > 0) return 3;
    if (code === 'invalid_type') return 0;
    if (code === 'invalid_value') return 1;
    return code === 'custom' ? 3 : 2;
  });
  return Math.min(...ranks);
}

const typeNames: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of names',
};

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? 'a text' : typeof value === 'boolean' ? 'true or false' : 'a number';
}

function valueAt(path: Path, value: unknown): unknown {
  return path.reduce<unknown>(
    (at, step) => (at as Record<string | number, unknown> | null | undefined)?.[step],
    value,
  );
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function sentence({ message }: { message: string }): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}
