import { readdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { systemCodeOf } from '#base';
import type { RestoreInput } from '#contract';
import { PlanError } from './errors.ts';

/** Whether a restore goes into a folder of the machine that does the work, and not into a database. */
export function isFolderTarget({ target }: Pick<RestoreInput, 'target'>): boolean {
  return target.startsWith('/');
}

/**
 * Makes sure that nobody loses what they did not mean: a folder that holds something, or a database that is to be
 * replaced, is confirmed by typing its name. What is Holdfast's own is no target.
 * @param home the state directory
 * @throws PlanError 'plans.unconfirmed', 'plans.target'
 */
export function assertTarget(request: RestoreInput, { home }: { home: string }): void {
  const { target, confirm, dryRun } = request;
  if (isFolderTarget(request)) assertNotOurs(target, home);
  if (dryRun) return;
  if (isFolderTarget(request) && confirm !== target && holdsSomething(target))
    throw new PlanError('plans.unconfirmed', `${target} is not empty`, {
      hint: 'Choose an empty folder, or type this one’s path as `confirm`. Nothing in it is deleted.',
    });
  if (!isFolderTarget(request) && request.overwrite === 'always' && !confirm)
    throw new PlanError('plans.unconfirmed', 'what the database holds would be replaced', {
      hint: 'Type the name of the database as `confirm`, or leave `overwrite` out: then it is restored beside itself.',
    });
}

function assertNotOurs(target: string, home: string): void {
  const [wanted, ours] = [realPathOf(target), realPathOf(home)];
  if (wanted !== ours && !wanted.startsWith(`${ours}${sep}`)) return;
  throw new PlanError('plans.target', `${target} is Holdfast’s own folder`, {
    hint: 'Choose a folder outside of the state directory.',
  });
}

/** Of what is not there yet, what it will be. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT' || dirname(path) === path) return resolve(path);
    return join(realPathOf(dirname(resolve(path))), resolve(path).split(sep).at(-1)!);
  }
}

function holdsSomething(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch (error) {
    // What cannot be looked at, or is no folder, the restore itself refuses.
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCodeOf(error) ?? '')) return false;
    throw error;
  }
}
