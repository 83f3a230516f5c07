import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import {
  checkRepository,
  initRepository,
  openRepository,
  type Repository,
  type StoredSnapshot,
} from '#repository';
import { filesSource } from '#sources';
import { backup, type Comparison, compareFolders, restore } from '#workflows';
import { CliError } from '../errors.ts';
import { counted, formatSize } from '../output.ts';
import { versionNumber } from '../program-version.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import { stateDirectory } from '../state-directory.ts';

export function define(command: Command): void {
  command
    .argument('[folder...]', 'what is backed up (Holdfast’s own src and docs)')
    .description(
      'Does the whole work on real input and shows what it proved: backs folders up into a repository in the state ' +
        'directory, reads every byte of it back, restores it to a temporary folder, and compares.',
    )
    .addHelpText('after', examples('holdfast demo', 'holdfast demo ~/Documents'))
    .action(action(run));
}

interface Proof {
  snapshot: StoredSnapshot;
  bytesRead: number;
  comparison: Comparison;
}

async function run(session: Session<object>, given: string[]): Promise<number> {
  const { output } = session;
  const folders = given.length > 0 ? given.map(absolute) : ownFolders();
  const place = placeOfRepository();
  const repository = await openOrMake(place);
  try {
    output.note(`repository    ${place.location}${place.isNew ? ' (new)' : ''}`);
    const proof = await prove(session, repository, folders);
    const { snapshot, comparison } = proof;
    const isProven = comparison.differences.length === 0;
    if (output.isJson) {
      output.object({
        message_type: 'summary',
        is_proven: isProven,
        repository: place.location,
        snapshot_id: snapshot.id,
        bytes_read: proof.bytesRead,
        ...comparison,
      });
    } else tellProof(session, place, proof);
    return isProven ? 0 : exitCodePartial;
  } finally {
    await repository.close();
  }
}

async function prove(
  { output, signal }: Session<object>,
  repository: Repository,
  folders: string[],
): Promise<Proof> {
  const source = filesSource({ paths: folders });
  const { summary, snapshot, problems, state } = await backup({
    repository,
    source,
    tags: ['name=demo'],
    programVersion: `holdfast ${versionNumber()}`,
    onProblem: ({ path, error, gravity }) => output.problem(path, error, gravity),
    signal,
  });
  if (state !== 'succeeded') throw unproven(`${problems.length} entries could not be saved as they are`);
  const files = counted(summary.totalFilesProcessed, 'file');
  const added = `${formatSize(summary.dataAddedPacked)} stored`;
  output.note(
    `backed up     ${folders.join(', ')}: ${files}, ${formatSize(summary.totalBytesProcessed)}, ${added}`,
  );
  const report = await checkRepository(repository, { readData: 'all', signal });
  if (!report.isSound) throw unproven(report.findings.map(({ message }) => message).join('; '));
  output.note(
    `read back     ${counted(report.packsRead, 'pack')}, ${formatSize(report.bytesRead)}: every byte decrypted and hashed`,
  );
  const comparison = await restoreAndCompare(repository, snapshot!, folders, signal);
  output.note(
    `restored      ${counted(comparison.entries, 'entry').replace('entrys', 'entries')}, ${formatSize(comparison.bytes)} to a temporary folder, and compared`,
  );
  return { snapshot: snapshot!, bytesRead: report.bytesRead, comparison };
}

async function restoreAndCompare(
  repository: Repository,
  snapshot: StoredSnapshot,
  folders: string[],
  signal: AbortSignal,
): Promise<Comparison> {
  const target = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  try {
    const restored = await restore({ repository, snapshot, target, signal });
    if (restored.state !== 'succeeded')
      throw unproven(restored.problems.map(({ path, error }) => `${path}: ${error.message}`).join('; '));
    const comparisons: Comparison[] = [];
    for (const folder of folders) {
      const copy = join(realpathSync(target), folder);
      const side = (root: string) => ({ source: filesSource({ paths: [root] }), root });
      comparisons.push(await compareFolders(side(folder), side(copy), signal));
    }
    return sumOf(comparisons);
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

function sumOf(comparisons: readonly Comparison[]): Comparison {
  const sum = (fact: 'entries' | 'files' | 'bytes') =>
    comparisons.reduce((total, one) => total + one[fact], 0);
  return {
    differences: comparisons.flatMap(({ differences }) => differences),
    entries: sum('entries'),
    files: sum('files'),
    bytes: sum('bytes'),
  };
}

function tellProof({ output }: Session<object>, place: Place, { snapshot, comparison }: Proof): void {
  for (const { path, what } of comparison.differences) output.line(`DIFFERENT     /${path}: ${what}`);
  if (comparison.differences.length > 0) {
    output.line(`not proven: ${counted(comparison.differences.length, 'difference')}`);
    return;
  }
  output.note('');
  output.note(
    `Proven: ${formatSize(comparison.bytes)} in ${counted(comparison.files, 'file')} came back byte for byte, with modes, owners and times.`,
  );
  output.note('It lies only on this machine so far; a second place is for the day when this one is lost.');
  output.note('');
  output.note(`snapshot      ${snapshot.id.slice(0, 8)} in ${place.location}`);
  output.note(
    `with restic   restic -r ${place.location} --password-file ${place.passwordFile} restore ${snapshot.id.slice(0, 8)} --target DIR`,
  );
  output.note(
    `with Holdfast holdfast restore ${snapshot.id.slice(0, 8)} -r ${place.location} --password-file ${place.passwordFile} --target DIR`,
  );
}

interface Place {
  location: string;
  passwordFile: string;
  isNew: boolean;
}

function placeOfRepository(): Place {
  const home = stateDirectory(process.env);
  const location = join(home, 'repository');
  return {
    location,
    passwordFile: join(home, 'repository.password'),
    isNew: !existsSync(join(location, 'config')),
  };
}

async function openOrMake({ location, passwordFile, isNew }: Place): Promise<Repository> {
  if (!isNew)
    return openRepository({ storage: location, password: readFileSync(passwordFile, 'utf8').trim() });
  mkdirSync(join(location, '..'), { recursive: true, mode: 0o700 });
  // An interrupted first run leaves a password without a repository: it is good for the next one.
  if (!existsSync(passwordFile))
    writeFileSync(passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  return initRepository({ storage: location, password: readFileSync(passwordFile, 'utf8').trim() });
}

/** The folders that lie beside this program in a checkout; of the published package, what it consists of. */
function ownFolders(): string[] {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  return ['src', 'docs', 'dist'].map((name) => join(root, name)).filter((folder) => existsSync(folder));
}

function absolute(folder: string): string {
  if (existsSync(folder)) return realpathSync(resolve(folder));
  throw new CliError('cli.usage', `${folder} does not exist`, { hint: 'Name a folder of this machine.' });
}

function unproven(what: string): CliError {
  return new CliError('cli.unproven', `not proven: ${what}`, {
    hint: 'Files that others change meanwhile cannot be compared; name a quiet folder, or look at the entries above.',
  });
}
