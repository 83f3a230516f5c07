import { isUtf8 } from 'node:buffer';
import type { ZipWriter, ZipWriterAddDataOptions } from '@zip.js/zip.js';
import type { ArchiveEntry, ArchivePart } from './archive-part.ts';

/** Type bits of `st_mode` for what a zip of Unix can hold. */
const unixTypes = new Map<string, number>([
  ['file', 0o100000],
  ['dir', 0o040000],
  ['symlink', 0o120000],
]);

/** From here on an entry needs the long form: what does not compress grows a little. */
const zip64FromBytes = 0xf000_0000;

/**
 * A zip as Info-ZIP writes them: names as raw bytes, Unix modes, owners, times and symlinks. FIFOs, sockets and
 * devices are left out; each name of a hard link becomes a file of its own.
 */
export async function* zipArchive(
  parts: AsyncGenerator<ArchivePart>,
  leaveOut: (path: string) => void,
): AsyncGenerator<Uint8Array> {
  const { ZipWriter } = await import('@zip.js/zip.js');
  let breakOff: (error: unknown) => void = () => {};
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start(stream) {
      breakOff = (error) => stream.error(error);
    },
  });
  const zip = new ZipWriter(writable, {
    useWebWorkers: false,
    dataDescriptor: true,
    encodeText: (text) => Buffer.from(text, 'latin1'),
  });
  // A failure breaks the stream where it is: without its directory at the end, nobody takes it for a whole zip.
  const written = writeZip(zip, parts, leaveOut).catch(breakOff);
  try {
    yield* readable;
  } finally {
    await parts.return(undefined);
    await written;
  }
}

async function writeZip(
  zip: ZipWriter<unknown>,
  parts: AsyncGenerator<ArchivePart>,
  leaveOut: (path: string) => void,
): Promise<void> {
  for (;;) {
    const { value: entry, done } = await parts.next();
    if (done) break;
    if (entry instanceof Uint8Array) throw new Error('content came without its entry');
    if (unixTypes.has(entry.node.type)) await addEntry(zip, entry, parts);
    else leaveOut(entry.path);
  }
  await zip.close();
}

async function addEntry(
  zip: ZipWriter<unknown>,
  entry: ArchiveEntry,
  parts: AsyncGenerator<ArchivePart>,
): Promise<void> {
  const { node, name } = entry;
  const text = Buffer.from(name).toString('latin1');
  const options: ZipWriterAddDataOptions = {
    unixMode: unixTypes.get(node.type)! | node.mode,
    uid: node.uid,
    gid: node.gid,
    lastModDate: new Date(Number(node.mtimeNs / 1_000_000n)),
    useUnicodeFileNames: isUtf8(name),
    zip64: node.sizeBytes >= zip64FromBytes,
  };
  if (node.type === 'dir') await zip.add(`${text}/`, undefined, { ...options, directory: true });
  else await zip.add(text, contentOf(entry, parts), options);
}

/** The pieces of a file, or the target of a symlink, which a zip keeps as content. */
function contentOf({ node }: ArchiveEntry, parts: AsyncGenerator<ArchivePart>): ReadableStream<Uint8Array> {
  let pieces = node.content?.length ?? 0;
  return new ReadableStream<Uint8Array>({
    start(stream) {
      if (node.type === 'symlink') stream.enqueue(node.linkTarget ?? new Uint8Array());
    },
    async pull(stream) {
      if (pieces-- <= 0) return stream.close();
      const { value, done } = await parts.next();
      if (done || !(value instanceof Uint8Array)) throw new Error('an entry came before its content');
      stream.enqueue(value);
    },
  });
}
