import { SourceError } from '../errors.ts';

/** One field of a BSON document. Bytes are views, not copies. Source: bsonspec.org, version 1.1. */
export interface BsonElement {
  name: string;
  /** The spec's type byte. */
  type: number;
  value: Uint8Array;
}

export const bsonTypes = {
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  boolean: 0x08,
  date: 0x09,
  null: 0x0a,
  regex: 0x0b,
  dbPointer: 0x0c,
  code: 0x0d,
  symbol: 0x0e,
  codeWithScope: 0x0f,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
  decimal128: 0x13,
  minKey: 0xff,
  maxKey: 0x7f,
} as const;

const types = bsonTypes;

/** Length and final zero. */
const documentBytesMin = 5;
/** A server's limit is 16 MiB; entries that it makes itself may have 16 KiB more. */
const documentBytesMax = 16 * 1024 * 1024 + 16 * 1024;

const fixedBytes = new Map<number, number>([
  [types.double, 8],
  [types.undefined, 0],
  [types.objectId, 12],
  [types.boolean, 1],
  [types.date, 8],
  [types.null, 0],
  [types.int32, 4],
  [types.timestamp, 8],
  [types.int64, 8],
  [types.decimal128, 16],
  [types.minKey, 0],
  [types.maxKey, 0],
]);

/**
 * The fields of a document in their order, duplicate names too. Nothing passes through objects, which would re-order
 * names that look like integers and lose types. @throws SourceError 'sources.damaged'
 */
export function* elementsOf(document: Uint8Array): Generator<BsonElement> {
  const bytes = Buffer.from(document.buffer, document.byteOffset, document.length);
  assertDocument(bytes);
  const end = bytes.length - 1;
  let at = 4;
  while (at < end) {
    const type = bytes[at]!;
    const nameEnd = endOfText(bytes, at + 1);
    const name = bytes.toString('utf8', at + 1, nameEnd - 1);
    const valueEnd = nameEnd + valueBytes(bytes, nameEnd, type);
    if (valueEnd > end) throw damaged(`the value of ${JSON.stringify(name)} is cut`);
    yield { name, type, value: bytes.subarray(nameEnd, valueEnd) };
    at = valueEnd;
  }
}

/** The first field of a name. */
export function findElement(document: Uint8Array, name: string): BsonElement | undefined {
  for (const element of elementsOf(document)) if (element.name === name) return element;
  return undefined;
}

/** The text of a string field, or undefined when it is absent or no string. */
export function textOf(document: Uint8Array, name: string): string | undefined {
  const element = findElement(document, name);
  return element?.type === types.string ? stringOf(element.value) : undefined;
}

/** The text of a string, symbol or code. */
export function stringOf(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset + 4, value.length - 5).toString('utf8');
}

/** Whether it is a document from its outside: right length, final zero. */
export function assertDocument(bytes: Uint8Array): void {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < documentBytesMin || view.readInt32LE(0) !== view.length || view.at(-1) !== 0)
    throw damaged('a document has a wrong length or no end');
}

/**
 * Cuts a stream of documents that follow each other, as a `.bson` file has them. Each is a copy or a view that stays.
 * @throws SourceError 'sources.damaged' when the stream is cut or is no BSON
 */
export async function* documentsIn(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of stream) {
    // A document of many pieces is not joined before its end is there.
    rest = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece]);
    let at = 0;
    while (rest.length - at >= 4) {
      const length = rest.readInt32LE(at);
      if (length < documentBytesMin || length > documentBytesMax)
        throw damaged(`a document of ${length} bytes was announced`);
      if (rest.length - at < length) break;
      const document = rest.subarray(at, at + length);
      assertDocument(document);
      yield document;
      at += length;
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw damaged(`the last document is cut: ${rest.length} bytes of it are there`);
}

/** Where the text that begins at `start` ends, its final zero included. */
export function endOfText(bytes: Uint8Array, start: number): number {
  const zero = bytes.indexOf(0, start);
  if (zero < 0) throw damaged('a name has no end');
  return zero + 1;
}

function valueBytes(bytes: Buffer, at: number, type: number): number {
  const fixed = fixedBytes.get(type);
  if (fixed !== undefined) return fixed;
  if (type === types.regex) return endOfText(bytes, endOfText(bytes, at)) - at;
  if (at + 4 > bytes.length) throw damaged('a length is cut');
  const length = bytes.readInt32LE(at);
  if (length < 0) throw damaged('a length is negative');
  switch (type) {
    case types.string:
    case types.code:
    case types.symbol:
      return 4 + length;
    case types.document:
    case types.array:
    case types.codeWithScope:
      return Math.max(length, documentBytesMin);
    case types.binary:
      return 5 + length;
    case types.dbPointer:
      return 4 + length + 12;
    default:
      throw damaged(`there is no BSON type 0x${type.toString(16)}`);
  }
}

function damaged(reason: string): SourceError {
  return new SourceError('sources.damaged', `not BSON: ${reason}`);
}
