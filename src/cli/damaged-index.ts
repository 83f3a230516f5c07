import type { Repository } from '#repository';
import type { Output } from './output.ts';

/** Tells which index files could not be read: what is missing from them was found in the packs themselves. */
export async function tellDamagedIndex(repository: Repository, output: Output): Promise<number> {
  const files = await repository.damagedIndexFiles();
  for (const { id, error } of files)
    output.problem(
      `index file ${id.slice(0, 12)}`,
      error instanceof Error ? error : new Error(String(error)),
      'odd',
    );
  return files.length;
}
