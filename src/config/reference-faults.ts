import { HoldfastError } from '#base';
import { type PlanSpec, type Schedule, targetsOf } from '#contract';
import { timetableOf } from '#schedule';
import type { Configuration, Section } from './configuration.ts';
import { suggestion } from './suggest.ts';
import type { Path } from './yaml-text.ts';

/** Something that is wrong between parts which are each well formed. */
export interface ReferenceFault {
  path: Path;
  message: string;
  hint?: string | undefined;
  /** The key at the end of the path is wrong, not what stands there. */
  isKey?: boolean;
}

/**
 * Names that lead nowhere or stand twice, schedules that never run, copies into themselves.
 * @param nowMs schedules must have a run after it
 */
export function referenceFaults(configuration: Configuration, nowMs: number): ReferenceFault[] {
  const { plans, repositories } = configuration;
  return [
    ...Object.entries(repositories).flatMap(([name, spec]) => [
      ...scheduleFaults(spec.check, ['repositories', name, 'check'], configuration, nowMs),
      ...scheduleFaults(spec.prune, ['repositories', name, 'prune'], configuration, nowMs),
    ]),
    ...sharedLocations(configuration),
    ...Object.entries(plans).flatMap(([name, plan]) =>
      planFaults(plan, ['plans', name], configuration, nowMs),
    ),
  ];
}

function planFaults(
  plan: PlanSpec,
  path: Path,
  configuration: Configuration,
  nowMs: number,
): ReferenceFault[] {
  const named = (names: readonly string[] | undefined, section: Section, ...steps: string[]) =>
    nameFaults(names ?? [], [...path, ...steps], { section, known: Object.keys(configuration[section]) });
  const targets = targetsOf(plan).map(({ repository }) => repository);
  const faults = [
    ...scheduleFaults(plan.schedule, [...path, 'schedule'], configuration, nowMs),
    ...named(plan.notify, 'channels', 'notify'),
  ];
  if (plan.kind === 'replicate') {
    const { copy, mirror } = plan;
    if (copy) {
      faults.push(
        ...named(targets, 'repositories', 'copy', 'to'),
        ...named(copy.sources, 'sources', 'copy', 'sources'),
      );
      faults.push(
        ...named([copy.from], 'repositories', 'copy', 'from').map((fault) => ({
          ...fault,
          path: fault.path.slice(0, -1),
        })),
      );
      if (targets.includes(copy.from)) faults.push(intoItself([...path, 'copy', 'to']));
    }
    if (mirror && mirror.from.location === mirror.to.location)
      faults.push(intoItself([...path, 'mirror', 'to']));
    return faults;
  }
  faults.push(...named(targets, 'repositories', 'repositories'));
  if (plan.kind === 'backup') faults.push(...named(plan.sources, 'sources', 'sources'));
  return [...faults, ...proofFaults(plan, path, configuration, nowMs)];
}

function proofFaults(
  plan: Exclude<PlanSpec, { kind: 'replicate' }>,
  above: Path,
  configuration: Configuration,
  nowMs: number,
): ReferenceFault[] {
  const { check, verify, drill } = plan.prove ?? {};
  const path = [...above, 'prove'];
  const sources = plan.kind === 'backup' ? plan.sources : [];
  const strangers = Object.keys(drill?.scratch ?? {}).filter((name) => !sources.includes(name));
  return [
    ...(check === 'each-run' ? [] : scheduleFaults(check, [...path, 'check'], configuration, nowMs)),
    ...scheduleFaults(verify?.schedule, [...path, 'verify', 'schedule'], configuration, nowMs),
    ...scheduleFaults(drill?.schedule, [...path, 'drill', 'schedule'], configuration, nowMs),
    ...strangers.map((name) => ({
      path: [...path, 'drill', 'scratch', name],
      message: `'${name}' is no source of this plan`,
      hint: suggestion(name, sources),
      isKey: true,
    })),
  ];
}

function nameFaults(
  names: readonly string[],
  path: Path,
  { section, known }: { section: Section; known: readonly string[] },
): ReferenceFault[] {
  return names.flatMap((name, i) => {
    const at = [...path, i];
    if (!known.includes(name)) {
      const hint = suggestion(name, known) ?? `Add it under ${section}.`;
      return [{ path: at, message: `there is no '${name}' under ${section}`, hint }];
    }
    if (names.indexOf(name) < i)
      return [{ path: at, message: `'${name}' stands here twice`, hint: 'Take one away.' }];
    return [];
  });
}

function scheduleFaults(
  schedule: Schedule | undefined,
  path: Path,
  { settings }: Configuration,
  nowMs: number,
): ReferenceFault[] {
  if (!schedule) return [];
  try {
    if (timetableOf(schedule, { zone: settings.zone, seed: '' }).after(nowMs) !== undefined) return [];
    return [{ path, message: 'this schedule never runs', hint: 'Look at its days, windows and blackouts.' }];
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return [{ path, message: error.message, hint: error.hint }];
  }
}

function sharedLocations({ repositories }: Configuration): ReferenceFault[] {
  const first = new Map<string, string>();
  return Object.entries(repositories).flatMap(([name, { location }]) => {
    const key = location.replace(/\/+$/, '');
    const other = first.get(key);
    first.set(key, other ?? name);
    if (other === undefined) return [];
    const hint = 'Two names for one repository would each forget what the other keeps.';
    return [
      { path: ['repositories', name, 'location'], message: `'${other}' lies at this location already`, hint },
    ];
  });
}

function intoItself(path: Path): ReferenceFault {
  return { path, message: 'this leads back to where it comes from', hint: 'Name another place.' };
}
