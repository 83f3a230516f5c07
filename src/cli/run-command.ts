import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { systemClock, systemCodeOf } from '#base';
import { CliError } from './errors.ts';
import { takeInterruptions } from './interruption.ts';
import { OutputTail } from './output-tail.ts';

/** How long after a program's end is waited for what it still wrote. */
const lastWordsMs = 2000;

export interface RunCommandOptions {
  environment: NodeJS.ProcessEnv;
  /** The command talks to the terminal itself, and nothing of it is kept. */
  isInteractive: boolean;
  /** Where its standard output goes. */
  stdout: NodeJS.WritableStream;
}

export interface CommandEnd {
  startedAt: Date;
  endedAt: Date;
  /** Undefined when a signal ended it. */
  exitCode?: number;
  endedBy?: NodeJS.Signals;
  output: OutputTail;
}

/**
 * Runs a program by its argument list, never through a shell, and passes on what it writes while keeping its end.
 * While it runs, interruptions are its business and not ours.
 * @throws CliError 'cli.command-not-found' | 'cli.command-not-executable'
 */
export async function runCommand(
  [program, ...args]: readonly string[],
  { environment, isInteractive, stdout }: RunCommandOptions,
): Promise<CommandEnd> {
  const startedAt = new Date(systemClock.nowMs());
  const output = new OutputTail();
  const child = spawn(program!, args, {
    env: environment,
    stdio: isInteractive ? 'inherit' : ['inherit', 'pipe', 'pipe'],
  });
  const give = takeInterruptions((signal) => {
    // A terminal sends its interruptions to the child too.
    if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal);
  });
  try {
    child.stdout?.on('data', (piece: Buffer) => output.add(piece));
    child.stderr?.on('data', (piece: Buffer) => output.add(piece));
    child.stdout?.pipe(stdout, { end: false });
    child.stderr?.pipe(process.stderr, { end: false });
    // That it could not be started is told by the other one.
    const closed = once(child, 'close').catch(() => {});
    const [exitCode, endedBy] = await once(child, 'exit');
    const endedAt = new Date(systemClock.nowMs());
    // What it left in the background may hold its output open for ever.
    await Promise.race([closed, systemClock.sleep(lastWordsMs, { background: true })]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    return {
      startedAt,
      endedAt,
      output,
      ...(exitCode === null ? { endedBy } : { exitCode }),
    };
  } catch (cause) {
    throw notRun(program!, cause);
  } finally {
    give();
  }
}

function notRun(program: string, cause: unknown): CliError {
  if (systemCodeOf(cause) === 'ENOENT')
    return new CliError('cli.command-not-found', `there is no program ${program}`, {
      hint: 'Check its name, and that it lies on the PATH.',
      cause,
    });
  return new CliError('cli.command-not-executable', `the program ${program} cannot be run`, {
    hint: 'Check that it is a program and that this account may run it.',
    cause,
  });
}

/** As a shell gives it: of a program that a signal ended 128 and the signal's number. */
export function exitCodeOfEnd({ exitCode, endedBy }: CommandEnd): number {
  return exitCode ?? 128 + constants.signals[endedBy!];
}
