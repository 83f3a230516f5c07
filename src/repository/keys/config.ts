import { type Random, toHex } from '#base';
import { type ReadOptions, type Storage, StorageError } from '#storage';
import {
  degreeOf,
  isIrreducible,
  type Polynomial,
  polynomialDegree,
  randomPolynomial,
} from '../chunker/polynomial.ts';
import { RepositoryError } from '../errors.ts';
import { isId } from '../format/ids.ts';
import { malformed, parseJson, recordOf } from '../format/json.ts';
import { configName } from '../format/names.ts';
import { type MasterKey, open, seal } from '../format/sealed.ts';
import { readWhole } from '../unpacked-raw.ts';

/** What a repository says of itself, once and for ever. */
export interface RepositoryConfig {
  version: 1 | 2;
  /** Random; names the repository wherever it is moved or copied. */
  id: string;
  /** Where files are cut; secret, because cut points say something about content. */
  chunkerPolynomial: Polynomial;
}

/** A config for a new repository. @param polynomial of another repository, to deduplicate copies between the two */
export function newConfig(
  random: Random,
  polynomial: Polynomial = randomPolynomial(random),
): RepositoryConfig {
  return { version: 2, id: toHex(random.fill(new Uint8Array(32))), chunkerPolynomial: polynomial };
}

/** Stores the config. It comes last when a repository is made: what has one is complete. */
export async function saveConfig(
  storage: Storage,
  key: MasterKey,
  config: RepositoryConfig,
  random: Random,
): Promise<void> {
  const { version, id, chunkerPolynomial } = config;
  const json = JSON.stringify({ version, id, chunker_polynomial: chunkerPolynomial.toString(16) });
  await storage.write(configName, seal(key, Buffer.from(json), random), {
    ifAbsent: storage.capabilities.conditionalCreate,
  });
}

/**
 * Reads the config; twice when it is damaged, since the fault may have been in the transfer.
 * @throws RepositoryError 'repository.damaged', 'repository.version'
 */
export async function loadConfig(
  storage: Storage,
  key: MasterKey,
  options?: ReadOptions,
): Promise<RepositoryConfig> {
  const load = async () => decodeConfig(open(key, await readWhole(storage, configName, options)));
  try {
    return await load().catch((error: unknown) => (isDamage(error) ? load() : Promise.reject(error)));
  } catch (error) {
    if (isDamage(error)) {
      throw new RepositoryError('repository.damaged', `the config cannot be read: ${error.message}`, {
        hint: 'Copy `config` back from a replica of this repository. It is written once and never changes.',
        cause: error,
      });
    }
    if (!(error instanceof StorageError && error.code === 'storage.not-found')) throw error;
    throw new RepositoryError('repository.damaged', `the repository at ${storage.location} has no config`, {
      hint: 'Its creation was interrupted, or the file was deleted. An empty repository may be deleted and made again; otherwise copy `config` back from a replica.',
      cause: error,
    });
  }
}

function isDamage(error: unknown): error is RepositoryError {
  return error instanceof RepositoryError && error.code === 'repository.damaged';
}

/** Reads the opened config. */
export function decodeConfig(json: Uint8Array): RepositoryConfig {
  const {
    version,
    id,
    chunker_polynomial: polynomial,
  } = recordOf(parseJson(json, 'the config'), 'the config');
  if (version !== 1 && version !== 2) {
    throw new RepositoryError('repository.version', `cannot read a repository of version ${version}`, {
      hint: 'A newer program made it. Update Holdfast, or use that program.',
      context: { version },
    });
  }
  if (!isId(id)) throw malformed('the config', 'the id is missing');
  if (typeof polynomial !== 'string' || !/^[0-9a-f]{1,16}$/.test(polynomial))
    throw malformed('the config', 'the chunker polynomial is missing');
  const chunkerPolynomial = BigInt(`0x${polynomial}`);
  if (degreeOf(chunkerPolynomial) !== polynomialDegree || !isIrreducible(chunkerPolynomial))
    throw malformed('the config', 'the chunker polynomial is not irreducible');
  return { version, id, chunkerPolynomial };
}
