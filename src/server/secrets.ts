import { readFileSync } from 'node:fs';
import { messageOf } from '#base';
import type { Records } from '#plans';
import { ServerError } from './errors.ts';

/** Gives what a reference stands for: `env:NAME`, `file:/path`, `sealed:ID`. @throws ServerError 'server.secret' */
export async function secretOf(
  reference: string,
  { records, environment }: { records: Records; environment: NodeJS.ProcessEnv },
): Promise<string> {
  const [, kind, place] = /^(env|file|sealed):(.+)$/s.exec(reference) ?? [];
  if (kind === 'sealed') return records.secrets.open(reference);
  if (kind === 'env') {
    const value = environment[place!];
    if (value) return value;
    throw unknown(`the variable ${place} is not set`, 'Set it where the server is started.');
  }
  try {
    return readFileSync(place!, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw unknown(
      `cannot read ${place}: ${messageOf(error)}`,
      'Check the file and that the server may read it.',
    );
  }
}

function unknown(message: string, hint: string): ServerError {
  return new ServerError('server.secret', message, { hint });
}
