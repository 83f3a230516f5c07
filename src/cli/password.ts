import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { messageOf } from '#base';
import { CliError } from './errors.ts';

export interface PasswordOptions {
  passwordFile?: string;
  passwordCommand?: string;
}

/**
 * The password of the repository: HOLDFAST_PASSWORD, a file, a program, or a person at the terminal. Never an
 * argument, because arguments are seen by everybody on the machine.
 * @param options.isNew asked twice
 */
export async function readPassword(
  options: PasswordOptions,
  environment: NodeJS.ProcessEnv,
  { isNew }: { isNew: boolean },
): Promise<string> {
  const password =
    environment.HOLDFAST_PASSWORD ?? readFile(options) ?? (await runCommand(options)) ?? (await ask(isNew));
  if (password === '') throw new CliError('cli.no-password', 'the password is empty', { hint });
  return password;
}

const hint =
  'Set HOLDFAST_PASSWORD or HOLDFAST_PASSWORD_FILE, give --password-file, or run it at a terminal.';

function readFile({ passwordFile }: PasswordOptions): string | undefined {
  if (passwordFile === undefined) return undefined;
  try {
    // As restic: blanks at both ends belong to the editor, not to the password.
    return readFileSync(passwordFile, 'utf8')
      .replace(/^\ufeff/, '')
      .trim();
  } catch (error) {
    throw new CliError('cli.password-file', `cannot read the password file: ${messageOf(error)}`, {
      hint: 'Check the path and that this account may read it.',
      cause: error,
    });
  }
}

async function runCommand({ passwordCommand }: PasswordOptions): Promise<string | undefined> {
  if (passwordCommand === undefined) return undefined;
  const [program = '', ...args] = passwordCommand.split(/\s+/).filter(Boolean);
  try {
    const { stdout } = await promisify(execFile)(program, args);
    return stdout.replace(/\r?\n$/, '');
  } catch (error) {
    throw new CliError('cli.password-file', `the password command failed: ${messageOf(error)}`, {
      hint: 'Run it by hand: it must print the password and end with status 0.',
      cause: error,
    });
  }
}

async function ask(isNew: boolean): Promise<string> {
  if (!process.stdin.isTTY) throw new CliError('cli.no-password', 'no password was given', { hint });
  const password = await askHidden('password of the repository: ');
  if (isNew && password !== (await askHidden('the same again: '))) {
    throw new CliError('cli.no-password', 'the two passwords differ', { hint: 'Try again.' });
  }
  return password;
}

async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silence, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.on('SIGINT', () => reject(new CliError('cli.interrupted', 'interrupted')));
      terminal.question('', resolve);
    });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
