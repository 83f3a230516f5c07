import type { Command } from 'commander';
import { messageOf } from '#base';
import type { Repository } from '#repository';
import { isMongoUrl } from '#sources';
import { type ProvenSnapshot, proveSnapshotBefore, recordCommand } from '#workflows';
import { addSourceOptions, chooseSource, type SourceOptions } from '../backup-source.ts';
import { environmentWithoutSecrets } from '../child-environment.ts';
import { commandTextWithoutSecrets, withoutPasswords } from '../command-text.ts';
import { CliError } from '../errors.ts';
import { parseDurationMs } from '../global-options.ts';
import { choiceOf } from '../mongo-options.ts';
import { mongoShell } from '../mongo-shell.ts';
import { counted, formatSeconds, Output } from '../output.ts';
import { fromEnvironment } from '../place-environment.ts';
import { versionNumber } from '../program-version.ts';
import { withProgress } from '../progress.ts';
import { rollbackLine } from '../rollback-line.ts';
import { type CommandEnd, exitCodeOfEnd, runCommand } from '../run-command.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import { collectText } from '../values.ts';

interface Options extends SourceOptions {
  source?: string[];
  databases?: string;
  name?: string;
  maxAge?: number;
  allowWarnings: boolean;
  keepEnv?: string[];
}

export function define(command: Command): void {
  command
    .argument('<command...>', 'after --: the program and its arguments; or shell, for mongosh')
    .option('--source <source>', 'what it may damage (HOLDFAST_SOURCE_URL); may be repeated', collectText)
    .option('--databases <names>', 'MongoDB: only these databases, with commas')
    .option(
      '--max-age <duration>',
      'MongoDB: a whole snapshot no older than this does too (10m)',
      parseDurationMs,
    )
    .option('--name <name>', 'what the snapshot is called (the tag name=…)')
    .option('--allow-warnings', 'run it although the snapshot has warnings; never when data is lost', false)
    .option('--keep-env <name>', 'pass this variable on although it may be a secret of ours', collectText);
  addSourceOptions(command)
    .addHelpText(
      'after',
      examples(
        'holdfast guard -r /srv/backup --source mongodb://localhost/ --max-age 10m -- npx migrate-mongo up',
        'holdfast guard -r /srv/backup --databases shop -- node scripts/rename-fields.js',
        'holdfast guard -r /srv/backup --source /srv/app -- ./upgrade.sh',
        'holdfast guard -r /srv/backup shell',
      ),
    )
    .action(action(run));
}

async function run(given: Session<Options>, command: string[]): Promise<number> {
  const { options } = given;
  // Standard output belongs to the command; with --json to us.
  const session = options.json ? given : { ...given, output: new Output(options, process.stderr) };
  const repository = await session.open();
  const proven = await prove(session, repository, command);
  assertGreen(proven, options);
  const rollback = rollbackLine(proven, { repository: options.repo!, sources: options.source ?? [] });
  tellProven(session, proven);
  const end = await runGuarded(options, command);
  const isRecorded = await record(session, repository, { command, proven, end });
  tellEnd(session, { proven, end, rollback, isRecorded });
  const exitCode = exitCodeOfEnd(end);
  return exitCode === 0 && !isRecorded ? exitCodePartial : exitCode;
}

async function prove(
  session: Session<Options>,
  repository: Repository,
  command: readonly string[],
): Promise<ProvenSnapshot> {
  const { options, output, signal } = session;
  const sourceOptions = { ...options, nsInclude: [...(options.nsInclude ?? []), ...patternsOf(options)] };
  const { source, problems, close } = await chooseSource(options.source ?? [], sourceOptions, (location) =>
    session.openPlace(location, { environment: fromEnvironment(process.env) }),
  );
  const [unmatched] = problems;
  if (unmatched) throw new CliError('cli.usage', `${unmatched.path} ${unmatched.error.message}`, {});
  let bytesDone = 0;
  let phase = 'backing up';
  let look = (): number => 0;
  const proving = proveSnapshotBefore({
    repository,
    source,
    note: `before ${commandTextWithoutSecrets(command)}`,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(isMongo(options) ? { choice: choiceOf(sourceOptions), maxAgeMs: options.maxAge } : {}),
    programVersion: `holdfast ${versionNumber()}`,
    onStart: ({ progress }) => {
      look = () => progress.bytesProcessed;
    },
    onBytesReadBack: (count) => {
      phase = 'reading back';
      bytesDone += count;
      look = () => bytesDone;
    },
    onProblem: ({ path, error, gravity }) => output.problem(path, error, gravity),
    signal,
  });
  const watched = withProgress(
    output,
    () => ({ phase, bytesDone: look(), filesDone: 0 }),
    () => proving,
  );
  return watched.finally(close);
}

function isMongo({ source }: Options): boolean {
  return isMongoUrl(source?.[0] ?? process.env.HOLDFAST_SOURCE_URL ?? '');
}

function patternsOf({ databases }: Options): string[] {
  return (databases ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [`${name.trim()}.*`]));
}

/** @throws CliError 'cli.not-green' */
function assertGreen({ snapshot, problems }: ProvenSnapshot, { allowWarnings }: Options): void {
  const worst = problems.filter(({ gravity }) => gravity === 'lost' || !allowWarnings);
  if (worst.length === 0) return;
  const id = snapshot.id.slice(0, 8);
  throw new CliError(
    'cli.not-green',
    `the command was not run: snapshot ${id} has ${counted(worst.length, 'problem')}, listed above`,
    {
      hint: worst.some(({ gravity }) => gravity === 'lost')
        ? 'See to what is listed, then run the same command again.'
        : 'See to what is listed, or give --allow-warnings when it does not matter.',
    },
  );
}

function runGuarded(options: Session<Options>['options'], command: string[]): Promise<CommandEnd> {
  const sources = options.source ?? [];
  const environment = environmentWithoutSecrets(process.env, {
    locations: [options.repo, ...sources],
    keep: options.keepEnv,
  });
  const stdout = options.json ? process.stderr : process.stdout;
  if (command.length > 1 || command[0] !== 'shell')
    return runCommand(command, { environment, isInteractive: false, stdout });
  if (!isMongo(options))
    throw new CliError('cli.usage', 'the source has no shell', {
      hint: 'Give --source mongodb://…, or a program after --.',
    });
  const url = sources[0] ?? process.env.HOLDFAST_SOURCE_URL!;
  const shell = mongoShell(url, environment);
  return runCommand(shell.command, { environment: shell.environment, isInteractive: true, stdout });
}

interface Run {
  command: readonly string[];
  proven: ProvenSnapshot;
  end: CommandEnd;
}

/** The command has run: what goes wrong now is told, and changes nothing of that. */
async function record(
  { output }: Session<Options>,
  repository: Repository,
  { command, proven, end }: Run,
): Promise<boolean> {
  const { output: tail, ...times } = end;
  try {
    const record = {
      ...times,
      command: command.map(withoutPasswords),
      snapshot: proven.snapshot.id,
      output: tail.bytes(),
      outputBytes: tail.totalBytes,
    };
    return (
      (await recordCommand(repository, record, { programVersion: `holdfast ${versionNumber()}` })) !==
      undefined
    );
  } catch (error) {
    output.warning(`the command and its output could not be recorded: ${messageOf(error)}`);
    return false;
  }
}

function tellProven(
  { output }: Session<Options>,
  { snapshot, ageMs, isReadBack, problems }: ProvenSnapshot,
): void {
  const id = snapshot.id.slice(0, 8);
  const what =
    ageMs === undefined
      ? `snapshot ${id} saved`
      : `snapshot ${id} of ${formatSeconds(ageMs / 1000)} ago is whole`;
  const proof = isReadBack ? 'read back and compared' : 'every blob checked';
  const odd = problems.length > 0 ? `, with ${counted(problems.length, 'warning')}` : '';
  output.note(`${what}, ${proof}, pinned${odd}: the command runs`);
}

function tellEnd(
  { output, options }: Session<Options>,
  { proven, end, rollback, isRecorded }: Omit<Run, 'command'> & { rollback: string; isRecorded: boolean },
): void {
  const seconds = (end.endedAt.getTime() - end.startedAt.getTime()) / 1000;
  const exitCode = exitCodeOfEnd(end);
  if (output.isJson) {
    output.object({
      message_type: 'summary',
      state: exitCode !== 0 ? 'failed' : isRecorded ? 'succeeded' : 'warning',
      snapshot_id: proven.snapshot.id,
      snapshot_age_seconds: proven.ageMs === undefined ? 0 : proven.ageMs / 1000,
      exit_code: end.exitCode,
      signal: end.endedBy,
      seconds_elapsed: seconds,
      recorded: isRecorded,
      rollback,
    });
    return;
  }
  const how = end.endedBy ? `was ended by ${end.endedBy}` : `ended with ${end.exitCode}`;
  output.note(`the command ${how} after ${formatSeconds(seconds)}${exitCode === 0 ? '' : ' (failed)'}`);
  if (options.quiet && exitCode === 0) return;
  output.line(`to go back:  ${rollback}`);
  output.note('what the command made under new names stays');
}
