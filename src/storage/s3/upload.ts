import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Clock, isRetryable, type Random } from '#base';
import { StorageError } from '../errors.ts';
import type { Content, FileInfo, ObjectMetadata, WriteOptions } from '../storage.ts';
import type { Connection } from './connection.ts';
import { type ChecksumKind, checksumFields, md5Of } from './integrity.ts';
import { type NewObject, newObject } from './new-object.ts';
import type { S3Options } from './options.ts';
import { type Cut, cut } from './parts.ts';
import { s3CodeOf } from './s3-error.ts';

const partsAtOnce = 3;
const partAttemptsMax = 5;
const pauseMs = 500;
/** How long we wait for a server to forget an upload that failed. */
const cleanUpMsMax = 10_000;

/** What an uploader needs of its surroundings. */
export interface UploadSite {
  connection: Connection;
  options: S3Options;
  clock: Clock;
  random: Random;
  stat(file: { name: string; key: string }, signal: AbortSignal | undefined): Promise<FileInfo | undefined>;
}

interface File extends NewObject {
  signal: AbortSignal | undefined;
}

/** Puts files into a bucket: in one request, or in parts of which each is repeated when it fails. */
export class Uploader {
  readonly #site: UploadSite;
  /** undefined: not known yet */
  #checksum: ChecksumKind | undefined;
  /** Whether the server heeds If-None-Match; undefined: not known yet. */
  #hasConditions: boolean | undefined;

  constructor(site: UploadSite) {
    this.#site = site;
  }

  /** Until it is found out, hoped for: almost all servers have it. */
  get hasConditions(): boolean {
    return this.#hasConditions ?? true;
  }

  get checksum(): ChecksumKind | undefined {
    return this.#checksum;
  }

  async upload(
    { name, key, metadata = {} }: { name: string; key: string; metadata?: ObjectMetadata },
    content: Content,
    options: WriteOptions,
  ): Promise<void> {
    const file = { name, key, metadata, signal: options.signal };
    const parts = await cut(content, file.signal);
    try {
      const second = await parts.rest.next();
      const more = second.done ? undefined : chained(second.value, parts.rest);
      await this.#send(file, parts.first, more, options.ifAbsent ?? false);
    } finally {
      await parts.rest.return(undefined);
    }
  }

  /** @param more what follows `first`, if anything */
  async #send(
    file: File,
    first: Uint8Array,
    more: Cut['rest'] | undefined,
    ifAbsent: boolean,
  ): Promise<void> {
    const put = (ifAbsent: boolean) =>
      more ? this.#putInParts(file, { first, rest: more }, ifAbsent) : this.#put(file, first, ifAbsent);
    if (!ifAbsent) return put(false);
    // Without a promise of the server's the best that can be done is to look before.
    if (!this.#hasConditions && (await this.#site.stat(file, file.signal))) throw exists(file.name);
    if (this.#hasConditions === undefined && !more) return this.#putProbing(file, first);
    return put(this.hasConditions);
  }

  /**
   * Finds out whether the server heeds If-None-Match, by the write itself: once it is done, the same again must be
   * refused. A server that only ignores the condition then wrote the same bytes twice.
   */
  async #putProbing(file: File, bytes: Uint8Array): Promise<void> {
    try {
      await this.#put(file, bytes, true);
    } catch (error) {
      if (isCode(error, 'storage.exists')) this.#hasConditions = true;
      if (!isUnknownRequest(error)) throw error;
      await this.#put(file, bytes, false);
      this.#hasConditions = false;
      return;
    }
    const [again] = await Promise.allSettled([this.#put(file, bytes, true)]);
    if (again.status === 'fulfilled') this.#hasConditions = false;
    else if (isCode(again.reason, 'storage.exists')) this.#hasConditions = true;
  }

  /** One request. The first ones find out which checksum the server knows. */
  async #put(file: File, bytes: Uint8Array, ifAbsent: boolean): Promise<void> {
    const kind = this.#checksum ?? 'crc32';
    const put = (kind: ChecksumKind) =>
      this.#site.connection.ask(
        { action: `write ${file.name}`, right: 's3:PutObject' },
        (client, options) =>
          client.send(
            new PutObjectCommand({
              ...newObject(this.#site, file, bytes.length),
              Body: bytes,
              ContentLength: bytes.length,
              ...checksumFields(kind, bytes),
              ...condition(ifAbsent),
            }),
            options,
          ),
        file.signal,
      );
    try {
      const { ChecksumCRC32: known } = await put(kind);
      if (kind === 'crc32') this.#checksum ??= known ? 'crc32' : 'md5';
    } catch (error) {
      if (this.#checksum !== undefined || !isUnknownRequest(error)) throw error;
      await put('md5');
      this.#checksum = 'md5';
    }
  }

  async #putInParts(file: File, { first, rest }: Cut, ifAbsent: boolean): Promise<void> {
    const uploadId = await this.#begin(file);
    const stop = new AbortController();
    const signal = file.signal ? AbortSignal.any([file.signal, stop.signal]) : stop.signal;
    const inFlight = new Set<Promise<void>>();
    const parts: SentPart[] = [];
    const send = async (part: Uint8Array) => {
      const sent: SentPart = { PartNumber: parts.length + 1, md5: md5Of(part) };
      parts.push(sent);
      const sending = this.#sendPart({ ...file, signal }, uploadId, part, sent).then(
        () => void inFlight.delete(sending),
      );
      inFlight.add(sending);
      // Told by the race below; until then it is nobody's.
      sending.catch(() => {});
      if (inFlight.size >= partsAtOnce) await Promise.race(inFlight);
    };
    try {
      await send(first);
      for await (const part of rest) await send(part);
      await Promise.all(inFlight);
      await this.#complete(file, uploadId, parts, ifAbsent);
    } catch (error) {
      // A part that arrives after the end of its upload would stay.
      stop.abort(error);
      await Promise.allSettled(inFlight);
      await Promise.allSettled([this.#abandon(file, uploadId)]);
      throw error;
    }
  }

  async #begin(file: File): Promise<string> {
    const input = newObject(this.#site, file);
    const { UploadId } = await this.#repeated(file, () =>
      this.#site.connection.ask(
        { action: `write ${file.name}`, right: 's3:PutObject' },
        (client, options) => client.send(new CreateMultipartUploadCommand(input), options),
        file.signal,
      ),
    );
    if (UploadId) return UploadId;
    throw new StorageError(
      'storage.failed',
      `cannot write ${file.name}: the server gives no id for an upload`,
      {
        hint: 'This server does not take large files as S3 does; use another.',
      },
    );
  }

  async #sendPart(file: File, uploadId: string, bytes: Uint8Array, part: SentPart): Promise<void> {
    const { connection } = this.#site;
    const input = {
      Bucket: connection.bucket,
      Key: file.key,
      UploadId: uploadId,
      PartNumber: part.PartNumber,
      Body: bytes,
      ContentLength: bytes.length,
      ContentMD5: part.md5,
    };
    const { ETag } = await this.#repeated(file, () =>
      connection.ask(
        { action: `write part ${part.PartNumber} of ${file.name}`, right: 's3:PutObject' },
        (client, options) => client.send(new UploadPartCommand(input), options),
        file.signal,
      ),
    );
    if (ETag) part.ETag = ETag;
  }

  /** Makes the file visible. When the answer of an earlier try was lost, the file itself tells that it is done. */
  async #complete(file: File, uploadId: string, parts: SentPart[], ifAbsent: boolean): Promise<void> {
    const { connection, stat } = this.#site;
    const input = {
      Bucket: connection.bucket,
      Key: file.key,
      UploadId: uploadId,
      MultipartUpload: { Parts: parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag })) },
      ...condition(ifAbsent),
    };
    let mayBeDone = false;
    await this.#repeated(file, async () => {
      try {
        await connection.ask(
          { action: `write ${file.name}`, right: 's3:PutObject' },
          (client, options) => client.send(new CompleteMultipartUploadCommand(input), options),
          file.signal,
        );
      } catch (error) {
        const isGone = isLost(error) || isCode(error, 'storage.exists');
        if (mayBeDone && isGone && (await stat(file, file.signal))?.etag === etagOf(parts)) return;
        mayBeDone = true;
        throw error;
      }
    });
  }

  /** What is left behind all the same is for `removeUnfinished`. */
  async #abandon({ name, key }: File, uploadId: string): Promise<void> {
    const { connection } = this.#site;
    const input = { Bucket: connection.bucket, Key: key, UploadId: uploadId };
    await connection.ask(
      { action: `abandon the upload of ${name}`, right: 's3:AbortMultipartUpload' },
      (client, options) => client.send(new AbortMultipartUploadCommand(input), options),
      AbortSignal.timeout(cleanUpMsMax),
    );
  }

  async #repeated<T>({ signal }: File, work: () => Promise<T>): Promise<T> {
    const { clock, random } = this.#site;
    for (let failureCount = 1; ; failureCount++) {
      try {
        return await work();
      } catch (error) {
        if (!isRetryable(error) || isLost(error) || failureCount >= partAttemptsMax) throw error;
        const waitMs = pauseMs * 2 ** (failureCount - 1) * (0.5 + random.below(1001) / 1000);
        await clock.sleep(waitMs, { signal });
      }
    }
  }
}

interface SentPart extends CompletedPart {
  PartNumber: number;
  /** Base64. */
  md5: string;
}

function condition(ifAbsent: boolean): { IfNoneMatch?: '*' } {
  return ifAbsent ? { IfNoneMatch: '*' } : {};
}

/** The mark of a file made of these parts, where the server does not encrypt with keys of its own. */
function etagOf(parts: readonly SentPart[]): string {
  const hash = createHash('md5');
  for (const { md5 } of parts) hash.update(Buffer.from(md5, 'base64'));
  return `"${hash.digest('hex')}-${parts.length}"`;
}

/** Whether the server may have refused something in the request that it does not know. */
function isUnknownRequest(error: unknown): boolean {
  if (!(error instanceof StorageError) || error.code === 'storage.locked') return false;
  return error.context.status === 400 || error.context.status === 501;
}

function isCode(error: unknown, code: StorageError['code']): boolean {
  return error instanceof StorageError && error.code === code;
}

/** The server knows the upload no longer: it is complete, or somebody ended it, and only the whole can be repeated. */
function isLost(error: unknown): boolean {
  return s3CodeOf(error) === 'NoSuchUpload';
}

function exists(name: string): StorageError {
  return new StorageError('storage.exists', `${name} exists already`, {
    hint: 'Somebody else made it first. Look at what is there before you go on.',
  });
}

async function* chained(first: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}
