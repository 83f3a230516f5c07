import { execFile } from 'node:child_process';
import { mkdtemp, rm, rmdir, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A small file system of its own, so that a test can fill it or turn it read-only. Needs the right to mount. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #image: string | undefined;

  /** In memory: its size can be changed while it is used. */
  static async mount(sizeBytes: number): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'holdfast-disk-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path]);
    return new SmallDisk(path, undefined);
  }

  /** ext4 on a file, as a disk has it. */
  static async mountImage(sizeBytes: number): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'holdfast-disk-'));
    const image = `${path}.img`;
    await writeFile(image, '');
    await truncate(image, sizeBytes);
    await run('mkfs.ext4', ['-q', '-m', '0', image]);
    await run('mount', ['-o', 'loop', image, path]);
    return new SmallDisk(path, image);
  }

  private constructor(path: string, image: string | undefined) {
    this.path = path;
    this.#image = image;
  }

  async makeReadOnly(): Promise<void> {
    await run('mount', ['-o', 'remount,ro', this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', [this.path]);
    await rmdir(this.path);
    if (this.#image) await rm(this.#image);
  }
}
