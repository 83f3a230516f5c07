import type { BlobId } from '../format/ids.ts';
import type { BlobType } from '../index/blob-table.ts';
import { isLoss } from '../loss.ts';
import type { BlobReader } from '../read/blob-reader.ts';

/**
 * A blob whose bytes were compared with its id, from the first of these readers that has it whole.
 * @throws what kept a reader from telling whether it has it
 */
export async function readFromAny(
  readers: readonly (BlobReader | undefined)[],
  blob: { type: BlobType; id: BlobId },
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  for (const reader of readers) {
    try {
      if (reader) return await reader.read(blob.type, blob.id, signal);
    } catch (error) {
      if (!isLoss(error)) throw error;
    }
  }
  return undefined;
}
