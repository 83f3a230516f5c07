import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { messageOf } from '#base';
import type { RepositorySpec } from '#contract';
import type { ServerContext } from './context.ts';

const madeName = 'recovery-kit';

interface KitMade {
  madeAt: string;
  /** What it tells how to open: name → location and where the password lies. */
  covers: Record<string, string>;
}

export interface KitStatus {
  madeAt?: string;
  isStale: boolean;
  /** Sentences: what the newest kit does not cover. */
  reasons: string[];
}

/**
 * Writes all that is needed when this machine is gone: where the repositories are, their passwords, the master key.
 * Whoever reads it can read every backup; so it is told to the audit, by whom it was made.
 */
export async function makeRecoveryKit(
  context: ServerContext,
  { by, address }: { by: string; address: string },
): Promise<string> {
  const { records, clock } = context;
  const madeAt = new Date(clock.nowMs()).toISOString();
  const repositories = await records.repositories.list();
  const parts = await Promise.all(repositories.map((each) => repositoryPart(context, each)));
  await records.audit.append({ subject: by, body: { action: 'recovery-kit.made', by, address } });
  const covers = Object.fromEntries(repositories.map(({ name, spec }) => [name, coveredBy(spec)]));
  await records.settings.save(madeName, { madeAt, covers } satisfies KitMade);
  return [
    'HOLDFAST RECOVERY KIT',
    `made ${madeAt} on ${hostname()} by ${by}`,
    '',
    'Whoever holds this page can read every backup. Keep it where neither this machine nor its network is:',
    'printed in a safe, or in the password store of two people. Make it anew when the dashboard says that it is stale.',
    '',
    ...parts.flat(),
    'MASTER KEY',
    'Opens the secrets in a backup of Holdfast itself. Put these lines into the file master.key of the state directory:',
    '',
    ...masterKeyLines(context),
    '',
    'RESTORE WITH HOLDFAST',
    'On any machine with Holdfast, with the location and the password of a repository above:',
    '',
    '    export HOLDFAST_PASSWORD=…            # or HOLDFAST_PASSWORD_FILE',
    '    holdfast snapshots -r LOCATION',
    '    holdfast restore   -r LOCATION latest --name SOURCE --target /tmp/restored',
    '',
    'RESTORE WITHOUT HOLDFAST',
    'The repositories are in restic’s format (version 2); any restic from 0.14 on reads them:',
    '',
    '    export RESTIC_PASSWORD=…',
    '    restic -r LOCATION snapshots',
    '    restic -r LOCATION restore latest --tag name=SOURCE --target /tmp/restored',
    '',
    'HOLDFAST ITSELF',
    'Its catalog (plans, users, sealed secrets, history) is in every repository, in snapshots with the tag name=holdfast.',
    'Restore the newest, put catalog.sqlite and master.key into an empty state directory, and run holdfast serve.',
    '',
  ].join('\n');
}

/** The same, as a page for printing. */
export function kitPage(text: string): string {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Holdfast recovery kit</title></head>\n<body><pre>${escaped}</pre></body></html>\n`;
}

export async function kitStatus({ records }: ServerContext): Promise<KitStatus> {
  const made = await records.settings.find<KitMade>(madeName);
  if (!made) return { isStale: true, reasons: ['no recovery kit was made yet'] };
  const reasons = (await records.repositories.list()).flatMap(({ name, spec }) => {
    if (!(name in made.covers)) return [`the repository ${name} was added since`];
    return made.covers[name] === coveredBy(spec) ? [] : [`the repository ${name} was changed since`];
  });
  return { madeAt: made.madeAt, isStale: reasons.length > 0, reasons };
}

function coveredBy({ location, password }: RepositorySpec): string {
  return `${location} ${password}`;
}

async function repositoryPart(
  { surroundings }: ServerContext,
  { name, spec }: { name: string; spec: RepositorySpec },
): Promise<string[]> {
  const password = await surroundings
    .secret(spec.password)
    .catch((error: unknown) => `(cannot be had: ${messageOf(error)}; it is at ${spec.password})`);
  const logins = Object.entries({ ...spec.s3, ...spec.sftp })
    .filter(([, value]) => typeof value === 'string')
    .map(([member, value]) => `    ${member}: ${value}`);
  return [
    `REPOSITORY ${name}`,
    `    location: ${spec.location}`,
    `    password: ${password}`,
    ...(logins.length > 0
      ? ['    its storage also needs, where it says env:, file: or sealed: what lies there:']
      : []),
    ...logins,
    '',
  ];
}

function masterKeyLines({ masterKeyFile }: ServerContext): string[] {
  return readFileSync(masterKeyFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `    ${line}`);
}
