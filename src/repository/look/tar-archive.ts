import type { ArchivePart } from './archive-part.ts';
import { tarBlockBytes, tarHeader, tarPadding } from './tar-header.ts';

/** A tar in pax format. Sockets, which tar has no word for, are left out. */
export async function* tarArchive(
  parts: AsyncIterable<ArchivePart>,
  leaveOut: (path: string) => void,
): AsyncGenerator<Uint8Array> {
  let contentBytes = 0;
  for await (const part of parts) {
    if (part instanceof Uint8Array) {
      contentBytes += part.length;
      yield part;
      continue;
    }
    yield tarPadding(contentBytes);
    contentBytes = 0;
    if (part.node.type === 'socket') leaveOut(part.path);
    else yield tarHeader(part.node, part.name, part.linkTo);
  }
  yield tarPadding(contentBytes);
  yield Buffer.alloc(2 * tarBlockBytes);
}
