import { BSON } from 'mongodb';
import { type BsonElement, elementsOf } from '../bson-bytes.ts';

/** A field of a document that is built byte by byte. */
export type RawField = BsonElement;

/** A document of these fields, in this order; names may come twice. */
export function rawDocument(fields: readonly RawField[]): Buffer {
  const parts = fields.map(({ name, type, value }) =>
    Buffer.concat([Buffer.from([type]), Buffer.from(name), Buffer.from([0]), value]),
  );
  const bytes = Buffer.concat([Buffer.alloc(4), ...parts, Buffer.from([0])]);
  bytes.writeInt32LE(bytes.length);
  return bytes;
}

/** A field with a value of the driver's. */
export function rawField(name: string, value: unknown): RawField {
  return { ...[...elementsOf(BSON.serialize({ [name]: value }))][0]!, name };
}

/** A field with an array of documents, taken as they are. */
export function rawArray(name: string, documents: readonly Uint8Array[]): RawField {
  const fields = documents.map((value, i) => ({ name: String(i), type: 0x03, value }));
  return { name, type: 0x04, value: rawDocument(fields) };
}
