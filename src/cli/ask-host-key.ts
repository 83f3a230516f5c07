import { createInterface } from 'node:readline';
import type { HostKeyQuestion, SftpOptions } from '#storage';
import { CliError } from './errors.ts';

/** Asks the person at the terminal whether an SSH server is the right one; without a terminal nobody can be asked. */
export function hostKeyAsker(): SftpOptions {
  return process.stdin.isTTY ? { askHostKey: ask } : {};
}

async function ask({ host, port, keyType, fingerprint }: HostKeyQuestion): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `the SSH server ${host}:${port} is not known; its key is\n  ${keyType} ${fingerprint}\nis this right, and shall it be remembered? (yes/no) `;
    const answer = await new Promise<string>((resolve, reject) => {
      terminal.on('SIGINT', () => reject(new CliError('cli.interrupted', 'interrupted')));
      terminal.question(question, resolve);
    });
    return answer.trim().toLowerCase() === 'yes';
  } finally {
    terminal.close();
  }
}
