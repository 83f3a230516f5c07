import { Anchor, CalendarClock, Database, Folder, HardDrive, type LucideIcon, RefreshCw } from 'lucide-react';
import type { Plan, PlanStatus, Source } from '#contract';
import type { State } from '../../components/states.tsx';

/** What a plan's badge says. */
export function stateOf({ health, isLate }: PlanStatus): State {
  switch (health) {
    case 'proven':
      return 'proven';
    case 'protected':
      return 'succeeded';
    case 'running':
      return 'running';
    case 'failing':
      return 'failed';
    case 'attention':
      return isLate ? 'missed' : 'warning';
    default:
      return 'unknown';
  }
}

/** What it protects, in a few words. */
export function subjectOf({ spec }: Plan): string {
  if (spec.kind === 'self') return 'Catalog, settings, sealed secrets';
  if (spec.kind === 'replicate') return 'A second copy';
  return spec.sources.join(', ');
}

const kinds: Record<Source['spec']['kind'], LucideIcon> = {
  files: Folder,
  mongodb: Database,
  bucket: HardDrive,
  command: CalendarClock,
};

export function iconOf({ spec }: Plan, sources: readonly Source[]): LucideIcon {
  if (spec.kind === 'self') return Anchor;
  if (spec.kind === 'replicate') return RefreshCw;
  const source = sources.find(({ name }) => name === spec.sources[0]);
  return source ? kinds[source.spec.kind] : CalendarClock;
}
