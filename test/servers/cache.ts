import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where real programs for the tests are kept between runs: HOLDFAST_TEST_CACHE, or a folder of the user's cache. */
function testCache(): string {
  return process.env.HOLDFAST_TEST_CACHE || join(homedir(), '.cache/holdfast-tests');
}

/** A folder that is in the cache already. */
export function cachedFolder(name: string): string | undefined {
  const folder = join(testCache(), name);
  return existsSync(folder) ? folder : undefined;
}

/**
 * A folder of the cache that `install` filled, now or in an earlier run. It is there whole or not at all, and two
 * processes may ask at once.
 * @param name with the version: a new version is a new folder
 */
export function installOnce(name: string, install: (folder: string) => void): string {
  const folder = join(testCache(), name);
  if (existsSync(folder)) return folder;
  mkdirSync(testCache(), { recursive: true });
  const draft = mkdtempSync(`${folder}.draft-`);
  try {
    process.stderr.write(`installing for the tests, once: ${name}\n`);
    install(draft);
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    // Another process was quicker; its folder holds the same.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
