import { BSON } from 'mongodb';
import { type BsonElement, bsonTypes, elementsOf } from './bson-bytes.ts';

/**
 * A BSON document as maps and arrays of the driver's types, for commands: order of names and types of numbers are
 * kept, which objects would lose. Of names that come twice the last one stays.
 */
export function orderedDocument(document: Uint8Array): Map<string, unknown> {
  return new Map([...elementsOf(document)].map((element) => [element.name, typedValue(element)]));
}

/** A value of the driver's types, as it stands in an ordered document. */
export function typedValue({ type, value }: BsonElement): unknown {
  if (type === bsonTypes.document) return orderedDocument(value);
  if (type === bsonTypes.array) return [...elementsOf(value)].map(typedValue);
  // One field of an empty name.
  const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from([type, 0]), value, Buffer.from([0])]);
  bytes.writeInt32LE(bytes.length);
  return BSON.deserialize(bytes, { promoteValues: false, bsonRegExp: true })[''];
}
