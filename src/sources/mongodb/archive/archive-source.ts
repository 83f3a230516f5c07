import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Clock, messageOf, systemClock } from '#base';
import { SourceError } from '../../errors.ts';
import type { Source } from '../../source.ts';
import { dumpEvents } from '../dump-events.ts';
import { ArchivedDump } from './archived-dump.ts';
import { readArchive } from './read-archive.ts';
import { Spool } from './spool.ts';

export interface ArchiveSourceOptions {
  /** A file's path, or `-` for standard input. */
  file: string;
  /** What the deployment is called in the snapshot: `/mongodb-NAME`. */
  name: string;
  clock?: Clock | undefined;
}

/**
 * An archive of `mongodump --archive`, gzip or not, as the folder that a dump of ours has. The archive is first read
 * to its end and checked, into an encrypted temporary file: its collections are interleaved.
 */
export function archiveSource({ file, name, clock = systemClock }: ArchiveSourceOptions): Source {
  const folder = `mongodb-${name.replaceAll(/[^\w.-]+/g, '_')}`;
  return {
    paths: [`/${folder}`],
    streamConcurrency: 1,
    async *read(signal) {
      const spool = await Spool.open();
      try {
        const dump = new ArchivedDump(spool, { startedAt: new Date(clock.nowMs()), signal });
        for await (const event of readArchive(await opened(file, signal))) await dump.add(event);
        dump.end(new Date(clock.nowMs()));
        yield* dumpEvents(dump, folder, clock);
      } finally {
        await spool.close();
      }
    },
    close: async () => {},
  };
}

async function opened(file: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const stream = file === '-' ? process.stdin : createReadStream(file, { signal });
  const pieces: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]();
  const first = await nextOf(pieces, file);
  const whole = rejoined(first, pieces);
  if (first?.[0] !== 0x1f || first[1] !== 0x8b) return whole;
  return gunzipped(whole, signal);
}

async function nextOf(pieces: AsyncIterator<Uint8Array>, file: string): Promise<Uint8Array | undefined> {
  try {
    const { done, value } = await pieces.next();
    return done ? undefined : value;
  } catch (error) {
    throw new SourceError('sources.absent', `cannot read ${file}: ${messageOf(error)}`, {
      hint: 'Check the path, and that this account may read it.',
    });
  }
}

async function* rejoined(
  first: Uint8Array | undefined,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (first) yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

async function* gunzipped(
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const input = Readable.from(stream, { objectMode: false, signal });
  const gunzip = createGunzip();
  input.on('error', (error) => gunzip.destroy(error));
  try {
    yield* input.pipe(gunzip) as AsyncIterable<Uint8Array>;
  } catch (error) {
    signal.throwIfAborted();
    throw new SourceError('sources.damaged', `the archive cannot be decompressed: ${messageOf(error)}`, {
      hint: 'Make it again, or check its SHA-256.',
    });
  }
}
