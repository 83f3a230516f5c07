import type { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { abortable } from '../abort.ts';
import { StorageError } from '../errors.ts';
import { assertRange, rangeWithin, tooShort } from '../range.ts';
import type { ByteRange, ReadOptions } from '../storage.ts';
import type { Connection } from './connection.ts';
import { type Deed, s3CodeOf } from './s3-error.ts';

/** One content of one file. */
export interface ObjectToRead {
  name: string;
  key: string;
  /** undefined: the current one */
  versionId?: string;
  /** Only the content with this mark. */
  ifEtag?: string | undefined;
  /** Told what the server says of it, before the first byte. */
  onAnswer?: ((answer: GetObjectCommandOutput) => void) | undefined;
  /** Its size, asked for only where the range is empty. @throws StorageError 'storage.not-found' */
  sizeBytes(): Promise<number>;
}

/** Exactly the bytes of the range, no faster than they are taken. */
export async function* readObject(
  connection: Connection,
  object: ObjectToRead,
  range: ByteRange | undefined,
  { signal }: ReadOptions,
): AsyncGenerator<Uint8Array> {
  const { name } = object;
  if (range) assertRange(range);
  if (range?.length === 0) {
    rangeWithin(name, await object.sizeBytes(), range);
    return;
  }
  const { body, lengthBytes } = await openObject(connection, object, range, signal);
  let seenBytes = 0;
  try {
    for await (const piece of abortable<Uint8Array>(body, signal)) {
      seenBytes += piece.length;
      if (seenBytes > lengthBytes) throw wrongLength(name, `more than ${lengthBytes} bytes came`);
      if (piece.length > 0) yield piece;
    }
  } catch (error) {
    throw error === signal?.reason ? error : connection.asStorageError(error, deedOf(object));
  } finally {
    body.destroy();
  }
  if (seenBytes < lengthBytes) throw wrongLength(name, `only ${seenBytes} of ${lengthBytes} bytes came`);
}

async function openObject(
  connection: Connection,
  object: ObjectToRead,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): Promise<{ body: Readable; lengthBytes: number }> {
  const { name, key, versionId, ifEtag } = object;
  const input = {
    Bucket: connection.bucket,
    Key: key,
    ...(versionId ? { VersionId: versionId } : {}),
    ...(ifEtag ? { IfMatch: ifEtag } : {}),
    ...(range ? { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` } : {}),
  };
  const answer = await connection
    .ask(deedOf(object), (client, options) => client.send(new GetObjectCommand(input), options), signal)
    .catch((error: unknown) => {
      const isBehindEnd = range && error instanceof StorageError && error.context.status === 416;
      if (isBehindEnd) throw tooShort(name, range);
      throw ifEtag && s3CodeOf(error) === 'PreconditionFailed' ? replaced(name, error) : error;
    });
  const body = answer.Body as Readable;
  // A connection that breaks before we listen must not end the process.
  body.on('error', () => {});
  const sentBytes = answer.ContentLength;
  const fault = faultOf(name, range, sentBytes, answer.ContentRange);
  if (!fault) {
    object.onAnswer?.(answer);
    return { body, lengthBytes: sentBytes! };
  }
  body.destroy();
  throw fault;
}

function replaced(name: string, cause: unknown): StorageError {
  return new StorageError('storage.failed', `${name} was replaced while it was read`, {
    hint: 'Somebody else writes to this bucket. Start again when that is done.',
    cause,
  });
}

function deedOf({ name, versionId }: ObjectToRead): Deed {
  return { action: `read ${name}`, right: versionId ? 's3:GetObjectVersion' : 's3:GetObject' };
}

/** What is wrong with what the server announces, before a byte of it is passed on. */
function faultOf(
  name: string,
  range: ByteRange | undefined,
  sentBytes: number | undefined,
  contentRange: string | undefined,
): StorageError | undefined {
  if (sentBytes === undefined) return wrongLength(name, 'the server does not say how much it sends');
  if (!range) return undefined;
  const isRange = contentRange?.startsWith(`bytes ${range.offset}-`) || (range.offset === 0 && !contentRange);
  if (!isRange) {
    return new StorageError(
      'storage.unsupported',
      `cannot read a part of ${name}: the server sends all of it`,
      {
        hint: 'Use a server, or a proxy in front of it, that heeds the Range header.',
      },
    );
  }
  if (sentBytes < range.length) return tooShort(name, range);
  return sentBytes > range.length ? wrongLength(name, `${sentBytes} bytes are announced`) : undefined;
}

function wrongLength(name: string, what: string): StorageError {
  return new StorageError('storage.interrupted', `reading ${name} went wrong: ${what}`, {
    hint: 'Check the connection to the storage.',
  });
}
