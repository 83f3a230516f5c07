import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCodeOf } from '#base';

/** Not every file system can sync a folder (CIFS, some FUSE); then there is nothing more that we could do. */
const cannotSync = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** Makes what a folder's entries say now survive a loss of power. A folder that is gone is durably gone already. */
export async function syncFolder(path: string): Promise<void> {
  try {
    await using folder = await open(path, 'r');
    await folder.sync();
  } catch (error) {
    const code = systemCodeOf(error) ?? '';
    if (code !== 'ENOENT' && !cannotSync.includes(code)) throw error;
  }
}

/** Makes a folder and those above it, durably; succeeds when it exists. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  // Not by Node's `recursive`, which reports a read-only file system as ENOENT.
  try {
    await makeOne(path, mode);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT' || path === dirname(path)) throw error;
    await makeFolder(dirname(path), mode);
    await makeOne(path, mode);
  }
}

async function makeOne(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error;
  }
  await syncFolder(dirname(path));
}
