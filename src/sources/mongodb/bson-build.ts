import type { BsonElement } from './bson-bytes.ts';

/** A document, or an array, of these fields in this order; names may come twice. */
export function documentOf(fields: readonly BsonElement[]): Buffer {
  const parts = fields.flatMap(({ name, type, value }) => [
    Buffer.from([type]),
    Buffer.from(name),
    Buffer.from([0]),
    value,
  ]);
  const bytes = Buffer.concat([Buffer.alloc(4), ...parts, Buffer.from([0])]);
  bytes.writeInt32LE(bytes.length);
  return bytes;
}
