import {
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3';
import { StorageError } from '../errors.ts';
import type { Connection } from './connection.ts';

/** One object as the bucket lists it. */
export interface ListedObject {
  key: string;
  sizeBytes: number;
  modifiedAt: Date | undefined;
  etag: string | undefined;
  storageClass: string | undefined;
}

export interface ListedVersion extends ListedObject {
  versionId: string;
  isLatest: boolean;
  isDeleteMarker: boolean;
}

export interface ListedUpload {
  key: string;
  uploadId: string;
  begunAt: Date | undefined;
}

/** What a page of S3's list calls says of one entry. */
interface Entry {
  Key?: string | undefined;
  Size?: number | undefined;
  LastModified?: Date | undefined;
  ETag?: string | undefined;
  StorageClass?: string | undefined;
}

/** Reads the lists of one bucket, page after page. */
export class Listing {
  readonly #connection: Connection;
  /** Old servers know only the first form of the list call. */
  #isFirstForm = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** In the order of keys. */
  async *objects(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ListedObject> {
    let last: string | undefined;
    let token: string | undefined;
    for (;;) {
      const page = await this.#objectPage(prefix, { last, token }, signal);
      for (const object of page.objects) yield object;
      if (!page.isTruncated) return;
      const next = page.objects.at(-1)?.key ?? last;
      // Without a token a server does not know the second form, whatever it answered.
      this.#isFirstForm ||= page.token === undefined;
      if (this.#isFirstForm && next === last) throw endless(prefix);
      last = next;
      token = page.token;
    }
  }

  /** What one answer holds of the objects after a key, in the order of keys. */
  async objectsAfter(prefix: string, last: string | undefined, signal: AbortSignal | undefined) {
    const page = await this.#objectPage(prefix, { last, token: undefined }, signal);
    this.#isFirstForm ||= page.isTruncated && page.token === undefined;
    const isStuck = page.objects.length === 0 || page.objects.some(({ key }) => key === last);
    if (page.isTruncated && isStuck) throw endless(prefix);
    return page;
  }

  async #objectPage(
    prefix: string,
    from: { last: string | undefined; token: string | undefined },
    signal: AbortSignal | undefined,
  ) {
    const { bucket } = this.#connection;
    const input = { Bucket: bucket, Prefix: prefix, EncodingType: 'url' as const };
    const deed = { action: `list ${prefix}`, right: 's3:ListBucket' };
    if (!this.#isFirstForm) {
      const start = from.token
        ? { ContinuationToken: from.token }
        : { ...(from.last !== undefined && { StartAfter: from.last }) };
      try {
        const page = await this.#connection.ask(
          deed,
          (client, options) => client.send(new ListObjectsV2Command({ ...input, ...start }), options),
          signal,
        );
        return { ...objectsOf(page), token: page.NextContinuationToken || undefined };
      } catch (error) {
        if (!(error instanceof StorageError && error.code === 'storage.unsupported')) throw error;
        this.#isFirstForm = true;
      }
    }
    const marker = from.last === undefined ? {} : { Marker: from.last };
    const page = await this.#connection.ask(
      deed,
      (client, options) => client.send(new ListObjectsCommand({ ...input, ...marker }), options),
      signal,
    );
    return { ...objectsOf(page), token: undefined };
  }

  /** In the order of keys; of one key in no order. */
  async *versions(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ListedVersion> {
    let marker: { KeyMarker: string; VersionIdMarker?: string } | undefined;
    for (;;) {
      const input = {
        Bucket: this.#connection.bucket,
        Prefix: prefix,
        EncodingType: 'url',
        ...marker,
      } as const;
      const page = await this.#connection.ask(
        { action: `list versions of ${prefix}`, right: 's3:ListBucketVersions' },
        (client, options) => client.send(new ListObjectVersionsCommand(input), options),
        signal,
      );
      const decode = decoder(page.EncodingType);
      const markers = (page.DeleteMarkers ?? []).map((entry) => ({ ...entry, isDeleteMarker: true }));
      const contents = (page.Versions ?? []).map((entry) => ({ ...entry, isDeleteMarker: false }));
      const versions = [...contents, ...markers].map((entry) => ({
        ...objectOf(entry, decode),
        versionId: entry.VersionId ?? 'null',
        isLatest: entry.IsLatest ?? false,
        isDeleteMarker: entry.isDeleteMarker,
      }));
      yield* versions.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
      if (!page.IsTruncated) return;
      const next = page.NextKeyMarker && decode(page.NextKeyMarker);
      const nextVersion = page.NextVersionIdMarker;
      if (!next || (next === marker?.KeyMarker && nextVersion === marker.VersionIdMarker))
        throw endless(prefix);
      marker = { KeyMarker: next, ...(nextVersion && { VersionIdMarker: nextVersion }) };
    }
  }

  /** Uploads in parts that were begun and not ended. (MinIO lists them only by the whole key.) */
  async *uploads(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ListedUpload> {
    let marker: { KeyMarker: string; UploadIdMarker?: string } | undefined;
    for (;;) {
      const input = {
        Bucket: this.#connection.bucket,
        Prefix: prefix,
        EncodingType: 'url',
        ...marker,
      } as const;
      const page = await this.#connection.ask(
        { action: `list unfinished uploads of ${prefix}`, right: 's3:ListBucketMultipartUploads' },
        (client, options) => client.send(new ListMultipartUploadsCommand(input), options),
        signal,
      );
      const decode = decoder(page.EncodingType);
      for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? [])
        yield { key: decode(Key), uploadId: UploadId, begunAt: Initiated };
      if (!page.IsTruncated) return;
      const next = page.NextKeyMarker && decode(page.NextKeyMarker);
      const nextUpload = page.NextUploadIdMarker;
      if (!next || (next === marker?.KeyMarker && nextUpload === marker.UploadIdMarker))
        throw endless(prefix);
      marker = { KeyMarker: next, ...(nextUpload && { UploadIdMarker: nextUpload }) };
    }
  }
}

function objectsOf(page: {
  Contents?: Entry[] | undefined;
  EncodingType?: string | undefined;
  IsTruncated?: boolean | undefined;
}) {
  const decode = decoder(page.EncodingType);
  const objects = (page.Contents ?? []).map((entry) => objectOf(entry, decode));
  return { objects, isTruncated: page.IsTruncated ?? false };
}

function objectOf(entry: Entry, decode: (text: string) => string): ListedObject {
  const { Key = '', Size = 0, LastModified, ETag, StorageClass } = entry;
  const facts = { sizeBytes: Size, modifiedAt: LastModified, etag: ETag, storageClass: StorageClass };
  return { key: decode(Key), ...facts };
}

/** Keys may hold what XML cannot, so they come percent-encoded, by servers that know how. */
function decoder(encoding: string | undefined): (text: string) => string {
  return encoding === 'url' ? (text) => decodeURIComponent(text.replaceAll('+', ' ')) : (text) => text;
}

function endless(prefix: string): StorageError {
  return new StorageError('storage.failed', `cannot list ${prefix}: the server gives the same page again`, {
    hint: 'Tell the maker of this server; its listing is not complete.',
  });
}
