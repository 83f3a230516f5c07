import type { Clock } from '#base';
import type {
  BucketSource,
  FilesSource,
  MongodbSource,
  RepositorySpec,
  SecretRef,
  SecretUrl,
  Size,
  SourceSpec,
  StorageSpec,
} from '#contract';
import { sizeBytes } from '#contract';
import {
  type Executor,
  type OpenOptions as OpenRepositoryOptions,
  openRepository,
  type Repository,
} from '#repository';
import { bucketRootOf, bucketSource, filesSource, openMongoSource, type Source } from '#sources';
import { type OpenOptions, openStorage, parseLocation, type S3Options, type Storage } from '#storage';
import { WorkflowError } from '#workflows';

/** What the words of a configuration need to become open things. */
export interface Surroundings {
  /** Gives the secret behind a reference. @throws when it cannot be had */
  secret(reference: SecretRef): Promise<string>;
  /** Where storages far away are cached, as a folder of this machine. */
  cacheFolder: string;
  /** Default: the system's. */
  clock?: Clock;
  /** Who does the work on blobs; threads, unless something else is given. */
  executor?: Executor;
}

/** Something open; what was opened for it is closed with it. */
export interface Opened<Thing> extends AsyncDisposable {
  thing: Thing;
}

/** @throws StorageError 'storage.location' */
export async function openStorageSpec(spec: StorageSpec, surroundings: Surroundings): Promise<Storage> {
  const { location, limits } = spec;
  return openStorage(location, {
    ...(limits && {
      limits: {
        ...(limits.upload && { uploadBytesPerSecond: sizeBytes(limits.upload) }),
        ...(limits.download && { downloadBytesPerSecond: sizeBytes(limits.download) }),
        ...(limits.calls && { concurrency: limits.calls }),
      },
    }),
    ...(spec.s3 && { s3: await s3Options(spec.s3, surroundings) }),
    ...(spec.sftp && { sftp: await sftpOptions(spec.sftp, surroundings) }),
  });
}

/**
 * Opens the repository of a specification, with a cache where it is far away.
 * @throws StorageError, RepositoryError 'repository.absent', 'repository.wrong-password' …
 */
export async function openRepositorySpec(
  spec: RepositorySpec,
  surroundings: Surroundings,
  options: Pick<OpenRepositoryOptions, 'retryLockMs' | 'signal'> = {},
): Promise<Opened<Repository>> {
  await using opening = new AsyncDisposableStack();
  const storage = await openStorageSpec(spec, surroundings);
  opening.defer(() => storage.close());
  const isNear = parseLocation(spec.location).kind === 'local';
  const cache = isNear ? undefined : await openStorage(`local:${surroundings.cacheFolder}`);
  if (cache) opening.defer(() => cache.close());
  const password = await surroundings.secret(spec.password);
  const { clock, executor } = surroundings;
  const thing = await openRepository({
    ...options,
    storage,
    password,
    ...(cache && { cache }),
    ...(clock && { clock }),
    ...(executor && { executor }),
  });
  const open = opening.move();
  return { thing, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** @throws SourceError; WorkflowError 'workflows.unsupported' */
export async function openSourceSpec(spec: SourceSpec, surroundings: Surroundings): Promise<Opened<Source>> {
  switch (spec.kind) {
    case 'files':
      return closing(openFiles(spec));
    case 'mongodb':
      return closing(await openMongodb(spec, surroundings));
    case 'bucket':
      return openBucket(spec, surroundings);
    case 'command':
      throw new WorkflowError('workflows.unsupported', 'this version cannot back up what a program prints', {
        hint: 'Use `holdfast backup --stdin` in a pipe.',
      });
  }
}

/** How long a job waits for a lock of somebody else: a backup of another plan, a check, another program. */
const jobLockWaitMs = 30 * 60_000;

/** Opens the repository as a job does: it waits for others. @throws as `openRepositorySpec` */
export function openForJob(
  spec: RepositorySpec,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Opened<Repository>> {
  return openRepositorySpec(spec, surroundings, { signal, retryLockMs: jobLockWaitMs });
}

function bytesOf(size: Size | undefined): number | undefined {
  return size === undefined ? undefined : sizeBytes(size);
}

function closing(source: Source, storage?: Storage): Opened<Source> {
  return {
    thing: source,
    async [Symbol.asyncDispose]() {
      await source.close();
      await storage?.close();
    },
  };
}

function openFiles(spec: FilesSource): Source {
  return filesSource({
    paths: spec.paths,
    excludes: spec.exclude,
    excludeLargerThanBytes: bytesOf(spec.excludeLargerThan),
    excludeCaches: spec.excludeCaches ?? false,
    excludeIfPresent: spec.excludeIfPresent,
    ignoreFiles: spec.gitignore ? ['.gitignore'] : [],
    oneFileSystem: spec.oneFileSystem,
  });
}

async function openMongodb(spec: MongodbSource, surroundings: Surroundings): Promise<Source> {
  return openMongoSource({
    url: await mongodbUrl(spec, surroundings),
    database: spec.database,
    includes: spec.include,
    excludes: spec.exclude,
    withUsers: spec.users,
    collectionsAtOnce: spec.collectionsAtOnce,
    bytesPerSecond: bytesOf(spec.limitRead),
  });
}

/** The address with its login in it: a secret from here on. */
async function mongodbUrl(spec: MongodbSource, surroundings: Surroundings): Promise<string> {
  const text = await plainUrl(spec.url, surroundings);
  if (!spec.username) return text;
  const password = spec.password && (await surroundings.secret(spec.password));
  const login = [spec.username, ...(password ? [password] : [])].map(encodeURIComponent).join(':');
  // Several hosts may follow, which URL does not read.
  return text.replace(/^([a-z+]+:\/\/)([^@/]*@)?/i, (_, scheme: string) => `${scheme}${login}@`);
}

/** A URL, or the one that a reference leads to: a secret from here on. */
export async function plainUrl(url: SecretUrl, surroundings: Surroundings): Promise<string> {
  return isReference(url) ? surroundings.secret(url) : url;
}

function isReference(text: string): boolean {
  return /^(env|file|sealed):(?!\/\/)/.test(text);
}

async function openBucket(spec: BucketSource, surroundings: Surroundings): Promise<Opened<Source>> {
  const storage = await openStorageSpec(spec, surroundings);
  return closing(bucketSource({ storage, root: bucketRootOf(spec.location), tags: 'told' }), storage);
}

async function s3Options(
  spec: NonNullable<StorageSpec['s3']>,
  surroundings: Surroundings,
): Promise<S3Options> {
  const { accessKeyId, secretAccessKey, sessionToken, encryption } = spec;
  const keyId = /^aws:kms:(.+)$/.exec(encryption ?? '')?.[1];
  return {
    ...(spec.region && { region: spec.region }),
    ...(spec.style && { style: spec.style }),
    ...(spec.profile && { profile: spec.profile }),
    ...(spec.storageClass && { storageClass: spec.storageClass }),
    ...(spec.caFile && { caFile: spec.caFile }),
    ...(encryption && {
      encryption: encryption === 'AES256' ? { kind: 'AES256' } : { kind: 'aws:kms', ...(keyId && { keyId }) },
    }),
    ...(accessKeyId &&
      secretAccessKey && {
        credentials: {
          accessKeyId: isReference(accessKeyId) ? await surroundings.secret(accessKeyId) : accessKeyId,
          secretAccessKey: await surroundings.secret(secretAccessKey),
          ...(sessionToken && { sessionToken: await surroundings.secret(sessionToken) }),
        },
      }),
    proxy: process.env,
  };
}

async function sftpOptions(
  spec: NonNullable<StorageSpec['sftp']>,
  surroundings: Surroundings,
): Promise<NonNullable<OpenOptions['sftp']>> {
  const { password, passphrase, keyFile, jump, knownHostsFile } = spec;
  return {
    ...(password && { password: await surroundings.secret(password) }),
    ...(passphrase && { passphrase: await surroundings.secret(passphrase) }),
    ...(keyFile && { keyFile }),
    ...(jump && { jump }),
    ...(knownHostsFile && { knownHostsFile }),
  };
}
