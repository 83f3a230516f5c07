import { sep } from 'node:path';
import { z } from 'zod';
import type { Configured } from '#catalog';
import { DiscoveredSource, SourceSpec } from '#contract';
import { type Discovered, discoverHost, type HostFindings } from '#discovery';
import type { ServerContext } from '../context.ts';
import type { App } from './app-type.ts';

const Answer = z.object({
  items: z.array(DiscoveredSource),
  unseen: z.array(z.string()).describe('what could not be looked at'),
});

const keptMs = 60_000;

/** What runs on this host and could be protected. */
export function discoveryRoutes(app: App, { records, clock }: ServerContext): void {
  // Looking takes seconds: who asks soon after hears the same answer.
  let last: { atMs: number; found: Promise<HostFindings> } | undefined;
  const look = (): Promise<HostFindings> => {
    const nowMs = clock.monotonicMs();
    if (!last || nowMs - last.atMs > keptMs) last = { atMs: nowMs, found: discoverHost({ clock }) };
    return last.found;
  };

  app.get('/discovered', { config: { needs: 'read' }, schema: { response: { 200: Answer } } }, async () => {
    const { found, unseen } = await look();
    const sources = await records.sources.list();
    const plans = await records.plans.list();
    const plansOf = (source: string): string[] =>
      plans
        .filter(({ spec }) => spec.kind === 'backup' && spec.sources.includes(source))
        .map(({ name }) => name);
    return {
      unseen,
      items: found.map((each) => ({
        ...presentDiscovered(each),
        protectedBy: sources.filter((source) => holds(source, each)).flatMap(({ name }) => plansOf(name)),
      })),
    };
  });
}

function presentDiscovered(found: Discovered): Omit<DiscoveredSource, 'protectedBy'> {
  const { kind, name, where, evidence, confidence, details } = found;
  const spec = found.suggestion === undefined ? undefined : specOf(found.suggestion);
  return {
    kind,
    title: where === name ? name : `${name}, ${where}`,
    details: { ...details, where, confidence, evidence: evidence.join('; ') },
    ...(spec && { suggestion: { name: nameOf(found), spec } }),
  };
}

/** What can be backed up so far; of other addresses nothing is suggested. */
function specOf(suggestion: string): SourceSpec | undefined {
  const given = suggestion.startsWith('/')
    ? { kind: 'files', paths: [suggestion] }
    : { kind: 'mongodb', url: suggestion };
  const isKnown = given.kind === 'files' || /^mongodb(\+srv)?:\/\//.test(suggestion);
  const parsed = SourceSpec.safeParse(given);
  return isKnown && parsed.success ? parsed.data : undefined;
}

function nameOf({ kind, name, suggestion = '' }: Discovered): string {
  const text = suggestion.startsWith('/') ? `${suggestion.split('/').at(-1)}` : kind;
  const plain = (text || name)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+/g, '');
  return plain.slice(0, 60) || kind;
}

/** Whether a source has it: the folder or one above, or the same servers. */
function holds({ spec }: Configured<SourceSpec>, { suggestion }: Discovered): boolean {
  if (suggestion === undefined) return false;
  if (spec.kind === 'files')
    return spec.paths.some(
      (path) => suggestion === path || suggestion.startsWith(path.endsWith(sep) ? path : path + sep),
    );
  return (
    spec.kind === 'mongodb' && hostsOf(spec.url) !== undefined && hostsOf(spec.url) === hostsOf(suggestion)
  );
}

function hostsOf(url: string): string | undefined {
  return /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?]+)/.exec(url)?.[1];
}
