import type { Command } from 'commander';
import type { Repository } from '#repository';
import type { Passwords, Session } from './session.ts';

/** A second repository that a command reads from. */
export interface FromOptions {
  fromRepo?: string;
  fromPasswordFile?: string;
}

export function addFromOptions(command: Command, what: string): Command {
  return command
    .option('--from-repo <location>', what)
    .option('--from-password-file <file>', 'file with its password (or HOLDFAST_FROM_PASSWORD)');
}

/** Opens it, when one was given. */
export async function openFrom(session: Session<FromOptions>): Promise<Repository | undefined> {
  const { fromRepo } = session.options;
  return fromRepo === undefined ? undefined : session.openAt(fromRepo, fromPasswords(session.options));
}

function fromPasswords(options: FromOptions): Passwords {
  const password = process.env.HOLDFAST_FROM_PASSWORD;
  const file = options.fromPasswordFile ?? process.env.HOLDFAST_FROM_PASSWORD_FILE;
  return {
    environment: password === undefined ? {} : { HOLDFAST_PASSWORD: password },
    ...(file === undefined ? {} : { passwordFile: file }),
  };
}
