import { BSON } from 'mongodb';
import { documentOf } from '../bson-build.ts';
import { type BsonElement, elementsOf } from '../bson-bytes.ts';

export { documentOf as rawDocument };

/** A field of a document that is built byte by byte. */
export type RawField = BsonElement;

/** A field with a value of the driver's. */
export function rawField(name: string, value: unknown): RawField {
  return { ...[...elementsOf(BSON.serialize({ [name]: value }))][0]!, name };
}

/** A field with an array of documents, taken as they are. */
export function rawArray(name: string, documents: readonly Uint8Array[]): RawField {
  const fields = documents.map((value, i) => ({ name: String(i), type: 0x03, value }));
  return { name, type: 0x04, value: documentOf(fields) };
}
