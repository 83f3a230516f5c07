import { StorageError } from './errors.ts';
import { type Location, type LocationKind, parseLocation } from './location.ts';
import type { S3Options } from './s3/options.ts';
import type { SftpOptions } from './sftp/options.ts';
import type { Storage } from './storage.ts';
import { asOf } from './wrappers/as-of.ts';
import { type Limits, limit } from './wrappers/limit.ts';
import { type RetryOptions, retry } from './wrappers/retry.ts';

type Open<Kind extends LocationKind> = (
  place: Extract<Location, { kind: Kind }>,
  location: string,
  options: OpenOptions,
) => Promise<Storage>;

/** Kind → how it is opened. Its code is loaded when it is needed. */
const kinds: { [Kind in LocationKind]?: Open<Kind> } = {
  local: async ({ path }, text) => new (await import('./local/local-storage.ts')).LocalStorage(path, text),
  s3: async (place, text, { s3, env }) => {
    const { s3LoginFrom, s3OptionsFrom } = await import('./s3/options.ts');
    const { S3Storage } = await import('./s3/s3-storage.ts');
    return new S3Storage(place, text, {
      ...s3OptionsFrom(env ?? process.env),
      ...(env && s3LoginFrom(env)),
      ...s3,
    });
  },
  sftp: async (place, text, { sftp, env = process.env }) => {
    const { sftpOptionsFrom } = await import('./sftp/options.ts');
    const { SftpStorage } = await import('./sftp/sftp-storage.ts');
    return new SftpStorage(place, text, { ...sftpOptionsFrom(env), ...sftp });
  },
};

export interface OpenOptions {
  limits?: Limits;
  retry?: RetryOptions;
  /** Read-only, as the place was then; for storages that keep versions. */
  asOf?: Date;
  /** Variables that options are taken from; by default the process's own. */
  env?: Record<string, string | undefined>;
  /** Before the environment's. */
  s3?: S3Options;
  /** Before the environment's. */
  sftp?: SftpOptions;
}

/**
 * Opens the storage at a location (see `parseLocation`), with retries and the limits that are given.
 * Nothing is made or looked at yet.
 * @throws StorageError 'storage.location'
 */
export async function openStorage(location: string, options: OpenOptions = {}): Promise<Storage> {
  const place = parseLocation(location);
  const open = kinds[place.kind] as Open<LocationKind> | undefined;
  if (!open) {
    const message = `the location "${location}" needs storage of the kind "${place.kind}"`;
    const known = Object.keys(kinds).join(', ');
    throw new StorageError('storage.location', `${message}, which this version does not have`, {
      hint: `Choose a location of another kind. This version has: ${known}.`,
    });
  }
  const storage = await open(place, location, options);
  const { limits, retry: retries, asOf: time } = options;
  const wrapped = retry(limits ? limit(storage, limits) : storage, retries);
  return time ? asOf(wrapped, time) : wrapped;
}
