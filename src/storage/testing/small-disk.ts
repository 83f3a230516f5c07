import { execFile } from 'node:child_process';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A file system of its own in memory, so that a test can fill it or turn it read-only. Needs the right to mount. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;

  static async mount(sizeBytes: number): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'holdfast-disk-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path]);
    return new SmallDisk(path);
  }

  private constructor(path: string) {
    this.path = path;
  }

  async makeReadOnly(): Promise<void> {
    await run('mount', ['-o', 'remount,ro', this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    await rmdir(this.path);
  }
}
