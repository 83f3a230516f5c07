import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  HeadObjectCommand,
} from '@aws-sdk/client-s3';
import { type Clock, type Random, systemClock, systemRandom } from '#base';
import { watched } from '../content.ts';
import { StorageError } from '../errors.ts';
import type {
  ByteRange,
  Capabilities,
  Content,
  FileInfo,
  ReadOptions,
  Storage,
  UnfinishedOptions,
  WriteOptions,
} from '../storage.ts';
import { Connection, type S3Place } from './connection.ts';
import { S3Copies } from './copies.ts';
import { Keys } from './keys.ts';
import { Listing } from './listing.ts';
import { S3Objects } from './objects.ts';
import type { S3Options } from './options.ts';
import { readObject } from './read-object.ts';
import { S3Retention } from './retention.ts';
import { Uploader, type UploadSite } from './upload.ts';
import { S3Versions } from './versions.ts';

const concurrency = 16;

/** What tests bring. */
interface Surroundings {
  clock?: Clock;
  random?: Random;
}

/** A prefix of a bucket at any server that speaks S3. Whether the bucket keeps versions or locks is found out on the way. */
export class S3Storage implements Storage {
  readonly location: string;
  readonly versions: S3Versions;
  readonly retention: S3Retention;
  readonly objects: S3Objects;
  readonly copies: S3Copies;
  readonly #connection: Connection;
  readonly #keys: Keys;
  readonly #listing: Listing;
  readonly #uploader: Uploader;
  #keepsVersions: Promise<boolean> | undefined;

  constructor(place: S3Place, location: string, options: S3Options = {}, surroundings: Surroundings = {}) {
    const { clock = systemClock, random = systemRandom } = surroundings;
    this.location = location;
    this.#connection = new Connection(place, options);
    this.#keys = new Keys(place.prefix);
    this.#listing = new Listing(this.#connection);
    const stat: UploadSite['stat'] = (file, signal) => this.#statKey(file, signal);
    const site = { connection: this.#connection, options, clock, random, stat };
    this.#uploader = new Uploader(site);
    this.copies = new S3Copies(place.endpoint, site, this.#keys);
    this.versions = new S3Versions(this.#connection, this.#keys, this.#listing);
    this.objects = new S3Objects(this.#connection, this.#keys, {
      listing: this.#listing,
      uploader: this.#uploader,
    });
    this.retention = new S3Retention(this.#connection, this.#keys, options.lock?.mode);
  }

  get capabilities(): Capabilities {
    const conditionalCreate = this.#uploader.hasConditions;
    return { conditionalCreate, atomicWrite: true, concurrency, listsUnfinished: true };
  }

  async *read(name: string, range?: ByteRange, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const key = this.#keys.keyOf(name);
    const sizeBytes = async () => {
      const info = await this.stat(name, options);
      if (info) return info.sizeBytes;
      throw new StorageError('storage.not-found', `there is no ${name} in ${this.location}`, {
        hint: 'Check the location; somebody may have removed the file.',
      });
    };
    yield* readObject(this.#connection, { name, key, sizeBytes }, range, options);
  }

  async write(name: string, content: Content, options: WriteOptions = {}): Promise<void> {
    const key = this.#keys.keyOf(name);
    options.signal?.throwIfAborted();
    const watch = watched(content);
    try {
      await this.#uploader.upload({ name, key }, watch.content, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error === watch.failure
        ? error
        : this.#connection.asStorageError(error, { action: `write ${name}`, right: 's3:PutObject' });
    }
  }

  async stat(name: string, { signal }: ReadOptions = {}): Promise<FileInfo | undefined> {
    return this.#statKey({ name, key: this.#keys.keyOf(name) }, signal);
  }

  async #statKey(
    { name, key }: { name: string; key: string },
    signal: AbortSignal | undefined,
  ): Promise<FileInfo | undefined> {
    const input = { Bucket: this.#connection.bucket, Key: key };
    try {
      const { ContentLength, LastModified, ETag } = await this.#connection.ask(
        { action: `look at ${name}`, right: 's3:GetObject' },
        (client, options) => client.send(new HeadObjectCommand(input), options),
        signal,
      );
      return infoOf(name, { sizeBytes: ContentLength ?? 0, modifiedAt: LastModified, etag: ETag });
    } catch (error) {
      if (error instanceof StorageError && error.code === 'storage.not-found') return undefined;
      throw error;
    }
  }

  async *list(prefix: string, { signal }: ReadOptions = {}): AsyncGenerator<FileInfo> {
    const keyPrefix = this.#keys.keyPrefixOf(prefix);
    signal?.throwIfAborted();
    for await (const object of this.#listing.objects(keyPrefix, signal)) {
      signal?.throwIfAborted();
      // Consoles make empty files of this form to show a folder.
      if (object.key.endsWith('/')) continue;
      yield infoOf(this.#keys.nameOf(object.key), object);
    }
  }

  /**
   * In a bucket that keeps versions, all of the file's go, the current one last, so that none of the older ones comes
   * to light and no bytes stay behind. Where that is not allowed, a marker hides the file.
   */
  async delete(name: string, options: ReadOptions = {}): Promise<void> {
    const key = this.#keys.keyOf(name);
    if (await this.#hasVersions(options.signal)) {
      const [outcome] = await Promise.allSettled([this.#deleteVersions(name, key, options)]);
      if (outcome.status === 'fulfilled') return;
      const { reason } = outcome;
      if (!(reason instanceof StorageError && reason.code === 'storage.access-denied')) throw reason;
    }
    const input = { Bucket: this.#connection.bucket, Key: key };
    try {
      await this.#connection.ask(
        { action: `delete ${name}`, right: 's3:DeleteObject' },
        (client, options) => client.send(new DeleteObjectCommand(input), options),
        options.signal,
      );
    } catch (error) {
      if (!(error instanceof StorageError && error.code === 'storage.not-found')) throw error;
    }
  }

  async removeUnfinished(before: Date, { prefix = '', signal }: UnfinishedOptions = {}): Promise<number> {
    const { bucket } = this.#connection;
    let count = 0;
    for await (const upload of this.#listing.uploads(this.#keys.keyPrefixOf(prefix), signal)) {
      if (!upload.begunAt || upload.begunAt >= before) continue;
      const input = { Bucket: bucket, Key: upload.key, UploadId: upload.uploadId };
      await this.#connection.ask(
        { action: `abandon an upload of ${upload.key}`, right: 's3:AbortMultipartUpload' },
        (client, options) => client.send(new AbortMultipartUploadCommand(input), options),
        signal,
      );
      count++;
    }
    return count;
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async #deleteVersions(name: string, key: string, options: ReadOptions): Promise<void> {
    const older: string[] = [];
    let current: string | undefined;
    for await (const version of this.#listing.versions(key, options.signal)) {
      if (version.key !== key) continue;
      // Hidden by a marker: not there, as far as we are concerned.
      if (version.isLatest && version.isDeleteMarker) return;
      if (version.isLatest) current = version.versionId;
      else older.push(version.versionId);
    }
    if (current === undefined) return;
    for (const versionId of older) await this.versions.delete(name, versionId, options);
    await this.versions.delete(name, current, options);
  }

  /** Asked once. Who may not know deletes in the plain way. */
  #hasVersions(signal: AbortSignal | undefined): Promise<boolean> {
    this.#keepsVersions ??= this.#askForVersions(signal).catch((error: unknown) => {
      this.#keepsVersions = undefined;
      throw error;
    });
    return this.#keepsVersions;
  }

  async #askForVersions(signal: AbortSignal | undefined): Promise<boolean> {
    const input = { Bucket: this.#connection.bucket };
    try {
      const { Status } = await this.#connection.ask(
        { action: 'see whether the bucket keeps versions', right: 's3:GetBucketVersioning' },
        (client, options) => client.send(new GetBucketVersioningCommand(input), options),
        signal,
      );
      return Status !== undefined;
    } catch (error) {
      const isUntold = error instanceof StorageError && untold.includes(error.code);
      if (isUntold) return false;
      throw error;
    }
  }
}

const untold: readonly string[] = ['storage.access-denied', 'storage.unsupported', 'storage.not-found'];

function infoOf(
  name: string,
  {
    sizeBytes,
    modifiedAt,
    etag,
  }: { sizeBytes: number; modifiedAt?: Date | undefined; etag?: string | undefined },
): FileInfo {
  return { name, sizeBytes, ...(modifiedAt && { modifiedAt }), ...(etag && { etag }) };
}
