import { z } from 'zod';
import { ChannelSpec, Name, PlanSpec, RepositorySpec, Settings, SourceSpec } from '#contract';

/** The content of holdfast.yaml. */
export const ConfigFile = z
  .strictObject({
    version: z.literal(1).describe('of this format'),
    settings: Settings.optional(),
    repositories: z.record(Name, RepositorySpec).optional().describe('encrypted stores, by name'),
    sources: z.record(Name, SourceSpec).optional().describe('what is protected, by name'),
    channels: z.record(Name, ChannelSpec).optional().describe('where people are told, by name'),
    plans: z.record(Name, PlanSpec).optional().describe('what, where to, when, how long, how proven'),
  })
  .meta({ title: 'holdfast.yaml' });

/** Everything that can be configured. */
export interface Configuration {
  settings: Settings;
  repositories: Readonly<Record<string, RepositorySpec>>;
  sources: Readonly<Record<string, SourceSpec>>;
  channels: Readonly<Record<string, ChannelSpec>>;
  plans: Readonly<Record<string, PlanSpec>>;
}

export function configurationOf(file: z.infer<typeof ConfigFile>): Configuration {
  const { settings = {}, repositories = {}, sources = {}, channels = {}, plans = {} } = file;
  return { settings, repositories, sources, channels, plans };
}

/** The value of a YAML text, against the schema. */
export function parseFile(value: unknown): z.ZodSafeParseResult<z.infer<typeof ConfigFile>> {
  return ConfigFile.safeParse(withoutEmpty(value ?? {}));
}

/** Without the file's own keys, and without sections in which everything was commented out. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key, section]) => !isExtension(key) && section !== null),
  );
}

/** Sections of things with names, in the order in which they build on each other. */
export const sections = ['channels', 'repositories', 'sources', 'plans'] as const;
export type Section = (typeof sections)[number];

/** Top-level keys that a file may use for itself: places for anchors. */
export function isExtension(key: string): boolean {
  return key.startsWith('x-');
}
