import assert from 'node:assert/strict';
import { slotBytes, slotOffset } from '../executor/arena.ts';
import type { BlobId } from '../format/ids.ts';
import type { BlobType } from '../index/blob-table.ts';
import type { WriteSession } from './write-session.ts';

/** Stores a blob whose id is known, unless it is there. The bytes may be reused once this has resolved. */
export async function storeBlob(
  session: WriteSession,
  type: BlobType,
  plain: Uint8Array,
  id: BlobId,
): Promise<void> {
  if (plain.length > slotBytes) return session.storeHuge(type, plain, id);
  const { slots, bytes, layout } = session.pool;
  const slot = await slots.acquire();
  try {
    const offset = slotOffset(layout, slot);
    bytes.set(plain, offset);
    const ids = await session.pool.run({ kind: 'store', type, spans: [offset, plain.length] }, 1);
    assert(Buffer.from(ids.buffer).toString('hex') === id, 'a blob changed before it was stored');
  } finally {
    slots.release(slot);
  }
}
