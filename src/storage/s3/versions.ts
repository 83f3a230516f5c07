import { DeleteObjectCommand, GetBucketVersioningCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { StorageError } from '../errors.ts';
import type { ByteRange, FileVersion, ReadOptions, Versions } from '../storage.ts';
import type { Connection } from './connection.ts';
import type { Keys } from './keys.ts';
import type { ListedVersion, Listing } from './listing.ts';
import { readObject } from './read-object.ts';
import { s3CodeOf } from './s3-error.ts';

/** What a bucket with versioning keeps beside the current contents. */
export class S3Versions implements Versions {
  readonly #connection: Connection;
  readonly #keys: Keys;
  readonly #listing: Listing;

  constructor(connection: Connection, keys: Keys, listing: Listing) {
    this.#connection = connection;
    this.#keys = keys;
    this.#listing = listing;
  }

  async *list(prefix: string, { signal }: ReadOptions = {}): AsyncGenerator<FileVersion> {
    const keyPrefix = this.#keys.keyPrefixOf(prefix);
    for await (const version of this.#listing.versions(keyPrefix, signal)) {
      const { key, sizeBytes, versionId, isLatest, isDeleteMarker, etag } = version;
      if (key.endsWith('/')) continue;
      const name = this.#keys.nameOf(key);
      const modifiedAt = writtenAt(version);
      const facts = { ...(modifiedAt && { modifiedAt }), ...(etag && { etag }) };
      yield { name, sizeBytes, versionId, isLatest, isDeleteMarker, ...facts };
    }
  }

  async *read(
    name: string,
    versionId: string,
    range?: ByteRange,
    options: ReadOptions = {},
  ): AsyncGenerator<Uint8Array> {
    const key = this.#keys.keyOf(name);
    const sizeBytes = () => this.#sizeOf(name, key, versionId, options.signal);
    yield* readObject(this.#connection, { name, key, versionId, sizeBytes }, range, options);
  }

  async delete(name: string, versionId: string, { signal }: ReadOptions = {}): Promise<void> {
    const input = { Bucket: this.#connection.bucket, Key: this.#keys.keyOf(name), VersionId: versionId };
    try {
      await this.#connection.ask(
        { action: `delete version ${versionId} of ${name}`, right: 's3:DeleteObjectVersion' },
        (client, options) => client.send(new DeleteObjectCommand(input), options),
        signal,
      );
    } catch (error) {
      if (isGone(error)) return;
      throw await this.#asLocked(error, input, signal);
    }
  }

  /** AWS refuses a locked version with the same code as a missing right: the version's own facts tell which it is. */
  async #asLocked(
    error: unknown,
    version: { Bucket: string; Key: string; VersionId: string },
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    if (!(error instanceof StorageError)) return error;
    const isRefused = error.code === 'storage.access-denied' || error.context.status === 400;
    if (!isRefused && error.code !== 'storage.locked') return error;
    const [head] = await Promise.allSettled([
      this.#connection.ask(
        { action: 'look at a lock', right: 's3:GetObjectVersion' },
        (client, options) => client.send(new HeadObjectCommand(version), options),
        signal,
      ),
    ]);
    const facts = head.status === 'fulfilled' ? head.value : undefined;
    const until = facts?.ObjectLockRetainUntilDate;
    const isHeld = until !== undefined || facts?.ObjectLockLegalHoldStatus === 'ON';
    if (!isHeld && error.code !== 'storage.locked') return error;
    return new StorageError('storage.locked', `cannot delete ${version.Key}: ${lockOf(until)}`, {
      hint: 'It can be deleted when its lock has ended; prune comes back for it.',
      context: { ...error.context, ...(until && { retainedUntil: until }) },
      cause: error.cause,
    });
  }

  async areKept({ signal }: ReadOptions = {}): Promise<boolean> {
    const input = { Bucket: this.#connection.bucket };
    const { Status } = await this.#connection.ask(
      { action: 'see whether the bucket keeps versions', right: 's3:GetBucketVersioning' },
      (client, options) => client.send(new GetBucketVersioningCommand(input), options),
      signal,
    );
    return Status === 'Enabled';
  }

  async #sizeOf(
    name: string,
    key: string,
    versionId: string,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const input = { Bucket: this.#connection.bucket, Key: key, VersionId: versionId };
    const { ContentLength } = await this.#connection.ask(
      { action: `look at ${name}`, right: 's3:GetObjectVersion' },
      (client, options) => client.send(new HeadObjectCommand(input), options),
      signal,
    );
    return ContentLength ?? 0;
  }
}

/**
 * When a version came to be. versitygw sets the time of a version anew when another one takes its place; but its ids
 * are ULIDs, which begin with the time. No other server that we know has ids of that form.
 */
function writtenAt({ modifiedAt, versionId }: ListedVersion): Date | undefined {
  if (!modifiedAt || !/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(versionId)) return modifiedAt;
  let bornMs = 0;
  for (const digit of versionId.slice(0, 10)) bornMs = bornMs * 32 + ulidDigits.indexOf(digit);
  return bornMs < modifiedAt.getTime() ? new Date(bornMs) : modifiedAt;
}

const ulidDigits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** AWS succeeds; versitygw says of a version that is no more that its id is none. */
function isGone(error: unknown): boolean {
  if (!(error instanceof StorageError)) return false;
  const isNoId = s3CodeOf(error) === 'InvalidArgument' && /version id/i.test(error.message);
  return isNoId || error.code === 'storage.not-found';
}

function lockOf(until: Date | undefined): string {
  return until ? `it is locked until ${until.toISOString()}` : 'it is under a legal hold or a lock';
}
