import { SourceError } from '../errors.ts';
import { plainAttributes, timeNsOf } from '../plain-attributes.ts';
import type { Source, SourceEvent } from '../source.ts';
import { fromByteText } from './names.ts';
import { cleanPath } from './start-paths.ts';

export interface StreamSourceOptions {
  /** Name in the snapshot, with folders if wanted: `stdin`, `/dumps/shop.sql`. */
  name: string;
  /** Called once. What it throws, or its stream, fails the backup: a cut stream must not look whole. */
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Time of the file in the snapshot. */
  modifiedAt: Date;
}

/** One stream as one file: standard input, the output of a command. @throws SourceError 'sources.location' */
export function streamSource(options: StreamSourceOptions): Source {
  const path = cleanPath(options.name, '/');
  if (path === '/' || options.name.includes('\0'))
    throw new SourceError('sources.location', `${JSON.stringify(options.name)} is not a name for a stream`, {
      hint: 'Give a file name, such as shop.sql.',
    });
  const names = path.slice(1).split('/').map(fromByteText);
  return {
    paths: [fromByteText(path).toString()],
    streamConcurrency: 1,
    async *read() {
      yield* eventsOf(names, options);
    },
    close: async () => {},
  };
}

function* eventsOf(names: readonly Uint8Array[], options: StreamSourceOptions): Generator<SourceEvent> {
  const uppers = names.slice(1).map((_, i) => names.slice(0, i + 1));
  for (const path of uppers)
    yield { kind: 'entry', path, attributes: plainAttributes('dir', timeNsOf(options.modifiedAt)) };
  const attributes = plainAttributes('file', timeNsOf(options.modifiedAt));
  const content = { open: (signal: AbortSignal) => options.open(signal), isVital: true };
  yield { kind: 'entry', path: names, attributes, content };
  for (const path of uppers.reverse()) yield { kind: 'leave', path };
}

/** Bytes that are in memory already, as a folder of plain files. */
export function streamFolder(folder: {
  /** One name. */
  name: string;
  modifiedAt: Date;
  files: readonly { name: string; bytes: Uint8Array }[];
}): Source {
  const top = Buffer.from(folder.name);
  const timeNs = timeNsOf(folder.modifiedAt);
  return {
    paths: [`/${folder.name}`],
    streamConcurrency: 1,
    async *read(): AsyncGenerator<SourceEvent> {
      yield { kind: 'entry', path: [top], attributes: plainAttributes('dir', timeNs) };
      for (const { name, bytes } of folder.files)
        yield {
          kind: 'entry',
          path: [top, Buffer.from(name)],
          attributes: plainAttributes('file', timeNs),
          content: { open: () => inOnePiece(bytes), isVital: true },
        };
      yield { kind: 'leave', path: [top] };
    },
    close: async () => {},
  };
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
