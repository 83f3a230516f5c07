import { BSON, type Document } from 'mongodb';
import { findElement } from '../bson-bytes.ts';

/** A collection's documents, changed as `update` and `delete` by `_id` do. */
export interface Writable {
  documents: Uint8Array[];
}

/** Refuses an `_id` that is there. */
export function insertDocuments(collection: Writable, documents: readonly Uint8Array[]): Document {
  const keyOf = (one: Uint8Array): string => {
    const id = findElement(one, '_id');
    return id ? `${id.type} ${Buffer.from(id.value).toString('hex')}` : '';
  };
  const there = new Set(collection.documents.map(keyOf));
  const writeErrors: Document[] = [];
  for (const [index, document] of documents.entries()) {
    const key = keyOf(document);
    if (key !== '' && there.has(key))
      writeErrors.push({ index, code: 11000, errmsg: 'E11000 duplicate key' });
    else collection.documents.push(document);
    there.add(key);
  }
  const n = documents.length - writeErrors.length;
  return { n, ...(writeErrors.length > 0 ? { writeErrors } : {}), ok: 1 };
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
