import type { Random } from '#base';
import { loadMasterKeys, newSealingKey, saveMasterKeys } from './master-key.ts';
import type { SecretStore } from './secret-store.ts';

/**
 * Makes a new master key and seals every secret with it. Killed at any point, the file holds every key that a secret is
 * sealed with; the old one leaves it last. Other workers on the same catalog need the new file before they start again.
 * @throws CatalogError 'catalog.master-key'
 */
export async function rotateMasterKey(
  secrets: SecretStore,
  { path, random }: { path: string; random: Random },
): Promise<void> {
  const next = newSealingKey(random);
  const keys = [next, ...loadMasterKeys(path, { random, mayMake: false })];
  saveMasterKeys(path, keys);
  await secrets.rotate(keys);
  saveMasterKeys(path, [next]);
}
