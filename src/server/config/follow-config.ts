import { existsSync } from 'node:fs';
import { readConfigFile, watchConfig } from '#config';
import type { Settings } from '#contract';
import type { ServerContext } from '../context.ts';
import { applyConfig, settingsOf } from './apply-config.ts';

export interface FollowOptions {
  /** The file that must be there; without it, holdfast.yaml of the state directory when there is one. */
  given: string | undefined;
  /** holdfast.yaml of the state directory. */
  usual: string;
  signal: AbortSignal;
  onProblem(error: unknown): void;
}

const pauseMs = 2000;

/**
 * Makes holdfast.yaml hold, and each change of it, until the signal.
 * @returns when it was read once; `done` resolves after the signal; the hosts that its settings allow now
 * @throws ConfigError 'config.file' when the given file cannot be read
 */
export async function followConfig(
  context: ServerContext,
  { given, usual, signal, onProblem }: FollowOptions,
): Promise<{ done: Promise<void>; allowedHosts(): readonly string[] }> {
  const file = given ?? usual;
  if (given !== undefined) await readConfigFile(given);
  const { clock } = context;
  let hosts = hostsOf(await settingsOf(context));
  const readings = watchConfig(file, { clock, signal, intervalMs: pauseMs });
  const takeNext = async (): Promise<boolean> => {
    const { value: reading, done } = await readings.next();
    if (done) return false;
    await applyConfig(context, { file, reading }).catch(onProblem);
    hosts = hostsOf(await settingsOf(context));
    return true;
  };
  const follow = async (): Promise<void> => {
    // A usual file may come later.
    while (!existsSync(file) && !signal.aborted) await clock.sleep(pauseMs, { signal }).catch(() => {});
    while (await takeNext());
  };
  if (existsSync(file)) await takeNext();
  return { done: follow().catch(onProblem), allowedHosts: () => hosts };
}

function hostsOf({ allowedHosts = [], publicUrl }: Settings): readonly string[] {
  return publicUrl ? [...allowedHosts, new URL(publicUrl).hostname] : allowedHosts;
}
