import { type BsonElement, bsonTypes, findElement } from './bson-bytes.ts';

/** A BSON timestamp: seconds since 1970, and which of that second. */
export interface OplogTime {
  t: number;
  i: number;
}

/** Of a timestamp's eight bytes. */
export function timeOf(value: Uint8Array): OplogTime {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return { t: bytes.readUInt32LE(4), i: bytes.readUInt32LE(0) };
}

/** A number of whatever type; undefined when it is none. */
export function numberOf(element: BsonElement | undefined): number | undefined {
  if (!element) return undefined;
  const { type, value } = element;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (type === bsonTypes.int32) return bytes.readInt32LE();
  if (type === bsonTypes.int64) return Number(bytes.readBigInt64LE());
  return type === bsonTypes.double ? bytes.readDoubleLE() : undefined;
}

/** Whether a field is there and true. */
export function isTrue(document: Uint8Array, name: string): boolean {
  const element = findElement(document, name);
  return element?.type === bsonTypes.boolean && element.value[0] === 1;
}

/** The document in a field; undefined when there is none. */
export function documentIn(document: Uint8Array, name: string): Uint8Array | undefined {
  const element = findElement(document, name);
  return element?.type === bsonTypes.document ? element.value : undefined;
}

/** A UUID as 32 lower-case hex digits; undefined when the field is no binary of subtype 4. */
export function uuidIn(document: Uint8Array, name: string): string | undefined {
  const element = findElement(document, name);
  if (element?.type !== bsonTypes.binary || element.value[4] !== 4) return undefined;
  return Buffer.from(element.value.subarray(5)).toString('hex');
}
