import { messageOf } from '#base';
import { loadConfig } from '../keys/config.ts';
import { listKeys } from '../keys/keys.ts';
import { isLoss } from '../loss.ts';
import type { Repository } from '../repository.ts';
import type { Finding } from './finding.ts';

/** Reads the config and every key file again: without them nothing can be read, whatever else is whole. */
export async function checkKeys(
  repository: Repository,
  report: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<void> {
  const { storage, key, config } = repository;
  try {
    const { id, chunkerPolynomial } = await loadConfig(storage, key.key, { signal });
    if (id !== config.id || chunkerPolynomial !== config.chunkerPolynomial)
      report({
        gravity: 'error',
        code: 'config-damaged',
        message: 'the config is that of another repository',
      });
  } catch (error) {
    if (!isLoss(error)) throw error;
    report({ gravity: 'error', code: 'config-damaged', message: `the config: ${messageOf(error)}` });
  }
  const keys = await listKeys(storage, { signal });
  for (const { id, file } of keys) {
    if (file) continue;
    const message = `key ${id.slice(0, 12)} is damaged; its password opens nothing`;
    report({ gravity: 'error', code: 'key-damaged', key: id, message });
  }
  if (!keys.some(({ id }) => id === key.id)) {
    const message = `key ${key.id.slice(0, 12)}, which opened this repository, is gone`;
    report({ gravity: 'error', code: 'key-damaged', key: key.id, message });
  }
}
