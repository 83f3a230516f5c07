import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Waits until everything written to the file system of an open folder is on its disk. By a child process, because
 * syncfs can take minutes and node:fs has no such call that does not block us.
 * @throws Error when it cannot be done
 */
export async function flushFileSystem(folder: number): Promise<void> {
  const place = process.platform === 'linux' ? ['-f', `/proc/${process.pid}/fd/${folder}`] : [];
  // Some small systems' sync knows no -f; without it, it waits for all file systems.
  if ((await run(place)) && (await run([])))
    throw new Error('what was written could not be flushed to the disk');
}

/** @returns the exit status */
async function run(args: readonly string[]): Promise<number> {
  try {
    const child = spawn('sync', args, { stdio: 'ignore' });
    const [status] = await once(child, 'exit');
    return status ?? 1;
  } catch {
    return 1;
  }
}
