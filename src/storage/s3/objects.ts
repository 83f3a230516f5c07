import { GetObjectTaggingCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { watched } from '../content.ts';
import { StorageError } from '../errors.ts';
import type {
  Content,
  ObjectFacts,
  ObjectMetadata,
  ObjectPage,
  Objects,
  ObjectVersionOptions,
  ReadObjectOptions,
  ReadOptions,
} from '../storage.ts';
import type { Connection } from './connection.ts';
import type { Keys } from './keys.ts';
import type { Listing } from './listing.ts';
import { factsOf } from './metadata.ts';
import { readObject } from './read-object.ts';
import type { Uploader } from './upload.ts';

/** The objects under the location's prefix, whatever their keys look like, with what the bucket keeps beside them. */
export class S3Objects implements Objects {
  readonly #connection: Connection;
  readonly #keys: Keys;
  readonly #listing: Listing;
  readonly #uploader: Uploader;

  constructor(connection: Connection, keys: Keys, parts: { listing: Listing; uploader: Uploader }) {
    this.#connection = connection;
    this.#keys = keys;
    this.#listing = parts.listing;
    this.#uploader = parts.uploader;
  }

  async page(after: string | undefined, { signal }: ReadOptions = {}): Promise<ObjectPage> {
    const prefix = this.#keys.keyPrefixOf('');
    const last = after === undefined ? undefined : prefix + after;
    const page = await this.#listing.objectsAfter(prefix, last, signal);
    const objects = page.objects.map(({ key, sizeBytes, modifiedAt, etag, storageClass }) => ({
      name: this.#keys.nameOf(key),
      sizeBytes,
      ...(modifiedAt && { modifiedAt }),
      ...(etag && { etag }),
      ...(storageClass && { storageClass }),
    }));
    return { objects, isLast: !page.isTruncated };
  }

  async *read(name: string, options: ReadObjectOptions = {}): AsyncGenerator<Uint8Array> {
    const { range, ifEtag, onFacts, signal } = options;
    const key = this.#keys.rawKeyOf(name);
    const sizeBytes = async () => {
      const facts = await this.stat(name, { signal });
      if (facts) return facts.sizeBytes;
      throw new StorageError('storage.not-found', `there is no ${key} in bucket ${this.#connection.bucket}`, {
        hint: 'Somebody may have removed it.',
      });
    };
    const onAnswer = onFacts && ((answer: Parameters<typeof factsOf>[1]) => onFacts(factsOf(name, answer)));
    yield* readObject(this.#connection, { name, key, ifEtag, onAnswer, sizeBytes }, range, { signal });
  }

  async stat(
    name: string,
    { versionId, signal }: ObjectVersionOptions = {},
  ): Promise<ObjectFacts | undefined> {
    const input = this.#addressOf(name, versionId);
    try {
      const answer = await this.#connection.ask(
        { action: `look at ${name}`, right: 's3:GetObject' },
        (client, options) => client.send(new HeadObjectCommand(input), options),
        signal,
      );
      return factsOf(name, answer);
    } catch (error) {
      if (error instanceof StorageError && error.code === 'storage.not-found') return undefined;
      throw error;
    }
  }

  async tags(
    name: string,
    { versionId, signal }: ObjectVersionOptions = {},
  ): Promise<Record<string, string>> {
    const input = this.#addressOf(name, versionId);
    const { TagSet = [] } = await this.#connection.ask(
      { action: `read the tags of ${name}`, right: 's3:GetObjectTagging' },
      (client, options) => client.send(new GetObjectTaggingCommand(input), options),
      signal,
    );
    return Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value]));
  }

  async write(
    name: string,
    content: Content,
    metadata: ObjectMetadata,
    { signal }: ReadOptions = {},
  ): Promise<void> {
    const key = this.#keys.rawKeyOf(name);
    signal?.throwIfAborted();
    const watch = watched(content);
    try {
      await this.#uploader.upload({ name, key, metadata }, watch.content, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      if (error === watch.failure) throw error;
      throw this.#connection.asStorageError(error, { action: `write ${key}`, right: 's3:PutObject' });
    }
  }

  #addressOf(name: string, versionId: string | undefined) {
    const address = { Bucket: this.#connection.bucket, Key: this.#keys.rawKeyOf(name) };
    return { ...address, ...(versionId !== undefined && { VersionId: versionId }) };
  }
}
