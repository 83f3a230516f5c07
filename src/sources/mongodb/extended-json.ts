import { BSON } from 'mongodb';
import { type BsonElement, bsonTypes, elementsOf, endOfText, stringOf } from './bson-bytes.ts';

/**
 * Canonical Extended JSON v2 of a BSON document, byte by byte as mongodump writes it into `.metadata.json` (Go driver,
 * bsonrw/extjson_writer.go): no spaces, `< > &` as they are, U+2028 and U+2029 escaped, doubles in Go's shortest `G`.
 */
export function toExtendedJson(document: Uint8Array): string {
  const members = [...elementsOf(document)].map(
    (one) => `${quoteJson(one.name)}:${valueToExtendedJson(one)}`,
  );
  return `{${members.join(',')}}`;
}

/** The same of one value. */
export function valueToExtendedJson({ type, value }: Pick<BsonElement, 'type' | 'value'>): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  switch (type) {
    case bsonTypes.double:
      return wrap('$numberDouble', formatDouble(bytes.readDoubleLE(0)));
    case bsonTypes.string:
      return quoteJson(stringOf(value));
    case bsonTypes.document:
      return toExtendedJson(value);
    case bsonTypes.array:
      return `[${[...elementsOf(value)].map(valueToExtendedJson).join(',')}]`;
    case bsonTypes.boolean:
      return bytes[0] === 0 ? 'false' : 'true';
    case bsonTypes.null:
      return 'null';
    case bsonTypes.int32:
      return wrap('$numberInt', String(bytes.readInt32LE(0)));
    case bsonTypes.int64:
      return wrap('$numberLong', String(bytes.readBigInt64LE(0)));
    case bsonTypes.decimal128:
      return wrap('$numberDecimal', new BSON.Decimal128(Buffer.from(bytes)).toString());
    case bsonTypes.objectId:
      return wrap('$oid', bytes.toString('hex'));
    case bsonTypes.date:
      return `{"$date":${wrap('$numberLong', String(bytes.readBigInt64LE(0)))}}`;
    case bsonTypes.timestamp:
      return `{"$timestamp":{"t":${bytes.readUInt32LE(4)},"i":${bytes.readUInt32LE(0)}}}`;
    default:
      return rareToExtendedJson(type, bytes);
  }
}

function rareToExtendedJson(type: number, bytes: Buffer): string {
  switch (type) {
    case bsonTypes.binary:
      return binary(bytes);
    case bsonTypes.undefined:
      return '{"$undefined":true}';
    case bsonTypes.minKey:
      return '{"$minKey":1}';
    case bsonTypes.maxKey:
      return '{"$maxKey":1}';
    case bsonTypes.regex: {
      const middle = endOfText(bytes, 0);
      const pattern = bytes.toString('utf8', 0, middle - 1);
      const options = [...bytes.toString('utf8', middle, bytes.length - 1)].sort().join('');
      return `{"$regularExpression":{"pattern":${quoteJson(pattern)},"options":${quoteJson(options)}}}`;
    }
    case bsonTypes.symbol:
      return wrap('$symbol', stringOf(bytes));
    case bsonTypes.code:
      return wrap('$code', stringOf(bytes));
    case bsonTypes.codeWithScope: {
      const codeEnd = 8 + bytes.readInt32LE(4);
      const code = quoteJson(stringOf(bytes.subarray(4, codeEnd)));
      return `{"$code":${code},"$scope":${toExtendedJson(bytes.subarray(codeEnd))}}`;
    }
    default: {
      const name = quoteJson(stringOf(bytes.subarray(0, -12)));
      return `{"$dbPointer":{"$ref":${name},"$id":${wrap('$oid', bytes.toString('hex', bytes.length - 12))}}}`;
    }
  }
}

/** The old subtype 2 has a second length inside, which is not content. */
function binary(bytes: Buffer): string {
  const subtype = bytes[4]!;
  const content = bytes.subarray(subtype === 2 ? 9 : 5);
  const subType = subtype.toString(16).padStart(2, '0');
  return `{"$binary":{"base64":"${content.toString('base64')}","subType":"${subType}"}}`;
}

function wrap(key: string, text: string): string {
  return `{"${key}":${quoteJson(text)}}`;
}

/** As Go's encoder escapes; JSON.stringify agrees but for the two line separators. */
export function quoteJson(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(/[\u2028\u2029]/g, (separator) =>
    separator === '\u2028' ? '\\u2028' : '\\u2029',
  );
}

/** Go's `strconv.FormatFloat(value, 'G', -1, 64)`, with `.0` where it shows neither point nor exponent. */
function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa, exponentText] = Math.abs(value).toExponential().split('e') as [string, string];
  const digits = mantissa.replace('.', '');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 6) {
    const power = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}E${exponent < 0 ? '-' : '+'}${power}`;
  }
  const plain = plainDigits(digits, exponent);
  return sign + (plain.includes('.') ? plain : `${plain}.0`);
}

function plainDigits(digits: string, exponent: number): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return digits.padEnd(exponent + 1, '0');
  return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}
