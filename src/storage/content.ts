import assert from 'node:assert/strict';
import { abortable } from './abort.ts';
import { StorageError } from './errors.ts';
import type { ByteRange, Content, ReadOptions, Storage } from './storage.ts';

/** Content that is opened to be read. */
export type StreamContent = Extract<Content, { open(): unknown }>;

export function isStream(content: Content): content is StreamContent {
  return 'open' in content;
}

/** Bytes at hand as pieces. */
function piecesAtHand(content: Exclude<Content, StreamContent>): readonly Uint8Array[] {
  return content instanceof Uint8Array ? [content] : content;
}

/** Size of the content, where it is known beforehand. */
export function sizeOf(content: Content): number | undefined {
  if (isStream(content)) return content.sizeBytes;
  return piecesAtHand(content).reduce((sum, piece) => sum + piece.length, 0);
}

/**
 * The pieces of any content; the next one is asked for only when the one before was taken.
 * @throws StorageError 'storage.interrupted' for a stream that is shorter or longer than its `sizeBytes`
 */
export async function* piecesOf(content: Content, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  if (!isStream(content)) {
    yield* piecesAtHand(content);
    return;
  }
  const { sizeBytes } = content;
  let seenBytes = 0;
  for await (const piece of abortable(content.open(), signal)) {
    seenBytes += piece.length;
    if (sizeBytes !== undefined && seenBytes > sizeBytes) throw wrongSize(seenBytes, sizeBytes);
    yield piece;
  }
  if (sizeBytes !== undefined && seenBytes < sizeBytes) throw wrongSize(seenBytes, sizeBytes);
}

/** Reads a range to the start of `target`, without a copy where the storage can. */
export async function readInto(
  storage: Storage,
  name: string,
  { range, target, signal }: { range: ByteRange; target: Uint8Array } & Pick<ReadOptions, 'signal'>,
): Promise<void> {
  assert(target.length >= range.length, 'memory for less than is read');
  let done = 0;
  for await (const piece of storage.read(name, range, { signal, into: target })) {
    const isThere = piece.buffer === target.buffer && piece.byteOffset === target.byteOffset + done;
    if (!isThere) target.set(piece, done);
    done += piece.length;
  }
}

/** Content together with the error that its stream ended with, so that the source's fault is not taken for the storage's. */
export interface WatchedContent {
  content: Content;
  failure?: unknown;
}

export function watched(content: Content): WatchedContent {
  if (!isStream(content)) return { content };
  const watch: WatchedContent = { content: { ...content, open } };
  async function* open(): AsyncGenerator<Uint8Array> {
    try {
      yield* (content as StreamContent).open();
    } catch (error) {
      watch.failure = error;
      throw error;
    }
  }
  return watch;
}

function wrongSize(seenBytes: number, sizeBytes: number): StorageError {
  return new StorageError(
    'storage.interrupted',
    `content of ${sizeBytes} bytes was announced and ${seenBytes} came`,
    { hint: 'What is written changed meanwhile, or its stream was cut. Start again.' },
  );
}
