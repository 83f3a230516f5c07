import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '#base';
import { type CatalogPlace, loadMasterKeys, type SealingKey } from '#catalog';
import type { EnginePlace } from '#jobs';

/** Where Holdfast keeps what is its own (design §5). */
export interface StateFolder {
  path: string;
  catalog: CatalogPlace;
  engine: EnginePlace;
  masterKeys: SealingKey[];
  masterKeyFile: string;
  cache: string;
  /** Where jobs put what they need for a while. */
  work: string;
  /** The default local repository. */
  repository: string;
}

/**
 * Makes the state folder and the master key where there are none. A key is only made for a new catalog: a lost one must
 * be put back.
 * @throws CatalogError 'catalog.master-key'
 */
export function openStateFolder(path: string, environment: NodeJS.ProcessEnv, random: Random): StateFolder {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const url = environment.HOLDFAST_DATABASE_URL;
  const file = join(path, 'catalog.sqlite');
  const masterKeyFile = environment.HOLDFAST_MASTER_KEY_FILE || join(path, 'master.key');
  const mayMake = !environment.HOLDFAST_MASTER_KEY_FILE && !existsSync(file);
  return {
    path,
    catalog: url ? { url } : { path: file },
    engine: url ? { url } : { path: join(path, 'engine.sqlite') },
    masterKeys: loadMasterKeys(masterKeyFile, { random, mayMake }),
    masterKeyFile,
    cache: join(path, 'cache'),
    work: join(path, 'work'),
    repository: join(path, 'repository'),
  };
}
