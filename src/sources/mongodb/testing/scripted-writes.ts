import { BSON, type Document } from 'mongodb';
import { findElement } from '../bson-bytes.ts';

/** A collection's documents, changed as `update` and `delete` by `_id` do. */
export interface Writable {
  documents: Uint8Array[];
}

/** Replaces whole documents, or inserts them where there is none. */
export function updateDocuments(collection: Writable, statements: readonly Uint8Array[]): Document {
  const upserted: Document[] = [];
  for (const [index, statement] of statements.entries()) {
    const document = findElement(statement, 'u')!.value;
    const at = indexOf(collection, statement);
    if (at < 0) upserted.push({ index, _id: index });
    collection.documents.splice(at < 0 ? collection.documents.length : at, at < 0 ? 0 : 1, document);
  }
  return { n: statements.length, ...(upserted.length > 0 ? { upserted } : {}), ok: 1 };
}

export function deleteDocuments(
  collection: Writable | undefined,
  statements: readonly Uint8Array[],
): Document {
  let n = 0;
  for (const statement of statements) {
    const at = collection ? indexOf(collection, statement) : -1;
    if (at < 0) continue;
    collection!.documents.splice(at, 1);
    n++;
  }
  return { n, ok: 1 };
}

/** What a filter by a list of ids finds. */
export function withIds(documents: readonly Uint8Array[], ids: readonly unknown[]): Uint8Array[] {
  const wanted = new Set(ids.map((id) => BSON.EJSON.stringify({ id })));
  return documents.filter((one) => wanted.has(BSON.EJSON.stringify({ id: BSON.deserialize(one)._id })));
}

function indexOf({ documents }: Writable, statement: Uint8Array): number {
  const id = findElement(findElement(findElement(statement, 'q')!.value, '_id')!.value, '$eq')!;
  return documents.findIndex((one) => {
    const own = findElement(one, '_id');
    return own?.type === id.type && Buffer.compare(own.value, id.value) === 0;
  });
}
