import type { Fault } from '#contract';
import { type Configuration, configurationOf, parseFile, type Section } from './configuration.ts';
import { referenceFaults } from './reference-faults.ts';
import { schemaFaults, toFault } from './schema-faults.ts';
import { YamlText } from './yaml-text.ts';

/** What a text says: a configuration, or what is wrong with it. */
export interface Reading {
  /** Only when there is no fault. */
  configuration: Configuration | undefined;
  /** In the order of the text. */
  faults: Fault[];
  /** Line of a thing's name; 1 for the settings and what is not there. */
  lineOf(section: Section | 'settings', name?: string): number;
}

/** Longest text that is read. */
const textLengthMax = 4 * 2 ** 20;

/**
 * Reads holdfast.yaml. Secrets stay references; nothing is looked up.
 * @param nowMs for schedules that would never run again
 */
export function readConfig(content: string, { nowMs }: { nowMs: number }): Reading {
  if (content.length > textLengthMax)
    return refused([{ path: '', message: 'the file is too long', line: 1, column: 1 }]);
  const text = new YamlText(content);
  if (text.faults.length > 0) return refused([...text.faults]);
  const parsed = parseFile(text.value);
  const lineOf: Reading['lineOf'] = (section, name) =>
    text.placeOfKey(name ? [section, name] : [section]).line;
  if (!parsed.success)
    return { configuration: undefined, faults: inOrder(schemaFaults(parsed.error.issues, text)), lineOf };
  const configuration = configurationOf(parsed.data);
  const faults = referenceFaults(configuration, nowMs).map((fault) => toFault(fault, text));
  return { configuration: faults.length === 0 ? configuration : undefined, faults: inOrder(faults), lineOf };
}

/** A reading of nothing but faults. */
export function refused(faults: Fault[]): Reading {
  return { configuration: undefined, faults, lineOf: () => 1 };
}

function inOrder(faults: Fault[]): Fault[] {
  return faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
