import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { StorageError } from '../errors.ts';
import type { Copies, CopySource, ObjectMetadata, ReadOptions } from '../storage.ts';
import type { Keys } from './keys.ts';
import { factsOf } from './metadata.ts';
import { newObject } from './new-object.ts';
import type { UploadSite } from './upload.ts';

const MiB = 1024 * 1024;

/** Larger ones go in parts; S3 copies no more than 5 GiB in one request, which may take minutes. */
const wholeBytesMax = 1024 * MiB;
const partBytesMin = 256 * MiB;
const partsMax = 1000;
const cleanUpMsMax = 10_000;

interface Target {
  name: string;
  key: string;
  metadata: ObjectMetadata;
  signal: AbortSignal | undefined;
}

/** Copies that the server makes itself, within one endpoint. */
export class S3Copies implements Copies {
  readonly service: string;
  readonly #site: UploadSite;
  readonly #keys: Keys;

  constructor(endpoint: string, site: UploadSite, keys: Keys) {
    this.service = `s3:${endpoint}`;
    this.#site = site;
    this.#keys = keys;
  }

  addressOf(name: string, versionId?: string): string {
    const path = `${this.#site.connection.bucket}/${this.#keys.rawKeyOf(name)}`;
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    return versionId === undefined ? encoded : `${encoded}?versionId=${encodeURIComponent(versionId)}`;
  }

  async copy(name: string, from: CopySource, { signal }: ReadOptions = {}): Promise<void> {
    const target = { name, key: this.#keys.rawKeyOf(name), metadata: {}, signal };
    await (from.sizeBytes > wholeBytesMax ? this.#copyInParts(target, from) : this.#copyWhole(target, from));
  }

  /** Metadata and tags go along unless something else is said. */
  async #copyWhole(target: Target, from: CopySource): Promise<void> {
    const input = { ...newObject(this.#site, target, from.sizeBytes), ...sourceFields(from) };
    await this.#site.connection.ask(
      { action: `copy to ${target.name}`, right: 's3:PutObject' },
      (client, options) => client.send(new CopyObjectCommand(input), options),
      target.signal,
    );
  }

  async #copyInParts(target: Target, from: CopySource): Promise<void> {
    const { connection } = this.#site;
    const { key, name, signal } = target;
    const metadata = await this.#metadataAt(from.address, signal);
    const { UploadId } = await connection.ask(
      { action: `copy to ${name}`, right: 's3:PutObject' },
      (client, options) =>
        client.send(
          new CreateMultipartUploadCommand(newObject(this.#site, { ...target, metadata })),
          options,
        ),
      signal,
    );
    const upload = { Bucket: connection.bucket, Key: key, UploadId };
    try {
      const parts = await this.#copyParts(target, upload, from);
      await connection.ask(
        { action: `copy to ${name}`, right: 's3:PutObject' },
        (client, options) =>
          client.send(
            new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } }),
            options,
          ),
        signal,
      );
    } catch (error) {
      // What is left behind all the same is for `removeUnfinished`.
      await Promise.allSettled([
        connection.ask(
          { action: `abandon the copy to ${name}`, right: 's3:AbortMultipartUpload' },
          (client, options) => client.send(new AbortMultipartUploadCommand(upload), options),
          AbortSignal.timeout(cleanUpMsMax),
        ),
      ]);
      throw error;
    }
  }

  /** A copy in parts takes over nothing by itself. The class of storage is the target's own. */
  async #metadataAt(address: string, signal: AbortSignal | undefined): Promise<ObjectMetadata> {
    const { connection } = this.#site;
    const object = addressFrom(address);
    const head = await connection.ask(
      { action: `look at ${object.Key}`, right: 's3:GetObject' },
      (client, options) => client.send(new HeadObjectCommand(object), options),
      signal,
    );
    const { TagSet = [] } = await connection.ask(
      { action: `read the tags of ${object.Key}`, right: 's3:GetObjectTagging' },
      (client, options) => client.send(new GetObjectTaggingCommand(object), options),
      signal,
    );
    const { storageClass: _, ...metadata } = factsOf(object.Key, head).metadata;
    return { ...metadata, tags: Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value])) };
  }

  /** One after the other: several files are copied at once. */
  async #copyParts(
    { name, signal }: Target,
    upload: { Bucket: string; Key: string; UploadId: string | undefined },
    from: CopySource,
  ): Promise<{ PartNumber: number; ETag: string | undefined }[]> {
    const partBytes = Math.max(partBytesMin, Math.ceil(from.sizeBytes / partsMax / MiB) * MiB);
    const parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for (let start = 0; start < from.sizeBytes; start += partBytes) {
      const end = Math.min(start + partBytes, from.sizeBytes) - 1;
      const PartNumber = parts.length + 1;
      const input = {
        ...upload,
        ...sourceFields(from),
        PartNumber,
        CopySourceRange: `bytes=${start}-${end}`,
      };
      const { CopyPartResult } = await this.#site.connection.ask(
        { action: `copy part ${PartNumber} to ${name}`, right: 's3:PutObject' },
        (client, options) => client.send(new UploadPartCopyCommand(input), options),
        signal,
      );
      parts.push({ PartNumber, ETag: CopyPartResult?.ETag });
    }
    return parts;
  }
}

function sourceFields({ address, etag }: CopySource) {
  return { CopySource: address, ...(etag && { CopySourceIfMatch: etag }) };
}

/** What `addressOf` made, taken apart. */
function addressFrom(address: string): { Bucket: string; Key: string; VersionId?: string } {
  const [path = '', versionId] = address.split('?versionId=');
  const [bucket, ...key] = path.split('/').map(decodeURIComponent);
  if (!bucket) {
    throw new StorageError('storage.failed', `${address} is not in a bucket`, {
      hint: 'Report this fault of Holdfast.',
    });
  }
  return {
    Bucket: bucket,
    Key: key.join('/'),
    ...(versionId !== undefined && { VersionId: decodeURIComponent(versionId) }),
  };
}
