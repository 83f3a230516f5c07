import type { ChannelSpec, Fault, PlanSpec, RepositorySpec, Settings, SourceSpec } from '#contract';
import { type Configuration, type Section, sections } from './configuration.ts';
import { referenceFaults } from './reference-faults.ts';

/** One configured thing. The settings are a thing too, called `settings`. */
export type Configured =
  | { section: 'settings'; name: 'settings'; spec: Settings }
  | { section: 'channels'; name: string; spec: ChannelSpec }
  | { section: 'repositories'; name: string; spec: RepositorySpec }
  | { section: 'sources'; name: string; spec: SourceSpec }
  | { section: 'plans'; name: string; spec: PlanSpec };

/** A configured thing as it is now, and whether a file brought it. */
export type Existing = Configured & { isFromFile: boolean };

export interface FieldChange {
  /** `keep.daily` */
  path: string;
  before: unknown;
  after: unknown;
}

/** One thing to do. */
export interface Change {
  /** 'take-over': it was made in the dashboard, and is the file's from now on; it may differ in `fields`. */
  action: 'add' | 'change' | 'take-over' | 'remove';
  /** As it shall be; of what is removed, as it was. */
  item: Configured;
  fields: FieldChange[];
}

export interface Changes {
  /** In an order in which nothing ever names what is not there. */
  changes: Change[];
  /** Why it must not be done: what was made in the dashboard and stays would lose something it needs. */
  faults: Fault[];
}

/** Everything in a configuration, in the order in which it builds on itself. */
export function itemsOf(configuration: Configuration): Configured[] {
  const named = sections.flatMap((section) =>
    Object.entries(configuration[section]).map(([name, spec]) => ({ section, name, spec }) as Configured),
  );
  return [{ section: 'settings', name: 'settings', spec: configuration.settings }, ...named];
}

/** The configuration that things make together. */
export function configurationOfItems(items: readonly Configured[]): Configuration {
  const record = <Spec>(section: Section) =>
    Object.fromEntries(
      items.filter((item) => item.section === section).map(({ name, spec }) => [name, spec]),
    ) as Record<string, Spec>;
  const settings = items.find((item) => item.section === 'settings')?.spec ?? {};
  return {
    settings: settings as Settings,
    channels: record<ChannelSpec>('channels'),
    repositories: record<RepositorySpec>('repositories'),
    sources: record<SourceSpec>('sources'),
    plans: record<PlanSpec>('plans'),
  };
}

/**
 * What must be done so that what there is becomes what a file says. What was made in the dashboard stays, unless the
 * file names it.
 */
export function changesBetween(
  existing: readonly Existing[],
  wanted: Configuration,
  { nowMs }: { nowMs: number },
): Changes {
  const items = itemsOf(wanted);
  const now = new Map(existing.map((item) => [keyOf(item), item]));
  const then = new Set(items.map(keyOf));
  const changes = items.flatMap((item) => changeOf(now.get(keyOf(item)), item));
  const removed = existing.filter(
    (item) => item.isFromFile && item.section !== 'settings' && !then.has(keyOf(item)),
  );
  const order = (item: Configured) => sections.indexOf(item.section as Section);
  for (const item of removed.toSorted((a, b) => order(b) - order(a)))
    changes.push({ action: 'remove', item: configuredOf(item), fields: [] });
  const kept = existing.filter((item) => !item.isFromFile && !then.has(keyOf(item)));
  return { changes, faults: faultsBetween([...items, ...kept], { nowMs }) };
}

/** What is wrong between things that are each well formed: names that lead nowhere, schedules that never run … */
export function faultsBetween(items: readonly Configured[], { nowMs }: { nowMs: number }): Fault[] {
  return referenceFaults(configurationOfItems(items), nowMs).map(({ path, message, hint }) => ({
    path: path.join('.'),
    message,
    ...(hint && { hint }),
  }));
}

/** Lines for people: `+ plan shop`, and under what changes each member, old and new. */
export function describeChanges(changes: readonly Change[]): string[] {
  return changes.flatMap(({ action, item, fields }) => [
    `${marks[action]} ${nouns[item.section]}${item.section === 'settings' ? '' : ` ${item.name}`}${action === 'take-over' ? ' (made in the dashboard, the file’s from now on)' : ''}`,
    ...fields.map(({ path, before, after }) => `    ${path}: ${textOf(before)} → ${textOf(after)}`),
  ]);
}

const marks = { add: '+', change: '~', 'take-over': '~', remove: '-' };
const nouns = {
  settings: 'settings',
  channels: 'channel',
  repositories: 'repository',
  sources: 'source',
  plans: 'plan',
};

function changeOf(existing: Existing | undefined, item: Configured): Change[] {
  if (!existing) {
    const isEmpty = item.section === 'settings' && Object.keys(item.spec).length === 0;
    return isEmpty ? [] : [{ action: 'add', item, fields: [] }];
  }
  const fields = fieldChanges(existing.spec, item.spec);
  if (!existing.isFromFile) return [{ action: 'take-over', item, fields }];
  return fields.length === 0 ? [] : [{ action: 'change', item, fields }];
}

/** Members that differ, by path; lists are compared as a whole. */
function fieldChanges(before: unknown, after: unknown, path = ''): FieldChange[] {
  if (isSame(before, after)) return [];
  if (!isRecord(before) || !isRecord(after)) return [{ path, before, after }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => fieldChanges(before[key], after[key], path === '' ? key : `${path}.${key}`));
}

/** Whether two values of JSON are equal, whatever the order of keys; absent and undefined are one. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  if (!isRecord(a) || !isRecord(b)) return a === b;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => isSame(a[key], b[key]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}

function keyOf({ section, name }: Configured): string {
  return `${section}/${name}`;
}

function configuredOf({ section, name, spec }: Existing): Configured {
  return { section, name, spec } as Configured;
}
