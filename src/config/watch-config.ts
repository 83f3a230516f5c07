import { readFile } from 'node:fs/promises';
import { type Clock, messageOf } from '#base';
import { ConfigError } from './errors.ts';
import { type Reading, readConfig, refused } from './read-config.ts';

/** @throws ConfigError 'config.file' */
export async function readConfigFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError('config.file', `cannot read ${path}: ${messageOf(error)}`, {
      hint: 'Give the path of a holdfast.yaml that this account may read.',
      cause: error,
    });
  }
}

export interface WatchOptions {
  clock: Clock;
  signal: AbortSignal;
  /** Between two looks. Default: 2000. */
  intervalMs?: number;
}

/**
 * Yields what a file says, first at once and then whenever its text has changed. A reading with faults, or of a file
 * that is gone, has no configuration: whoever listens goes on with the one before. Ends when the signal is aborted.
 *
 * The file is looked at again and again rather than waited for: that finds editors that replace it, mounted secrets
 * that are links, and file systems of other machines. A text counts when two looks saw the same, so that a file that is
 * just being written is left alone.
 */
export async function* watchConfig(path: string, options: WatchOptions): AsyncGenerator<Reading> {
  const { clock, signal, intervalMs = 2000 } = options;
  let taken: string | undefined;
  let seen: string | undefined;
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const look = await lookAt(path);
    const isSettled = isFirst || look.key === seen;
    if (isSettled && look.key !== taken) {
      taken = look.key;
      yield 'text' in look ? readConfig(look.text, { nowMs: clock.nowMs() }) : refused([look.fault]);
    }
    seen = look.key;
    await clock.sleep(intervalMs, { signal, background: true }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

type Look =
  | { key: string; text: string }
  | { key: string; fault: { path: ''; message: string; hint: string; line: 1; column: 1 } };

async function lookAt(path: string): Promise<Look> {
  try {
    const text = await readConfigFile(path);
    return { key: `text ${text}`, text };
  } catch (error) {
    const message = messageOf(error);
    const hint = 'Bring the file back; until then what it said last holds.';
    return { key: `fault ${message}`, fault: { path: '', message, hint, line: 1, column: 1 } };
  }
}
