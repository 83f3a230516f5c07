import { BSON, type Document } from 'mongodb';
import { SourceError } from '../errors.ts';
import { documentOf } from './bson-build.ts';
import { type BsonElement, bsonTypes, elementsOf } from './bson-bytes.ts';

/** So that no object takes a name for a number and re-orders it, or for its prototype. */
const guard = '_';

/**
 * The BSON of a document in canonical Extended JSON v2, fields in the order of the text. Of names that come twice in
 * one object the last one stays. @throws SourceError 'sources.damaged'
 */
export function fromExtendedJson(text: string): Uint8Array {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replaceAll(/"(?:[^"\\]|\\.)*"(?=(\s*:)?)/gs, guarded));
  } catch (cause) {
    throw new SourceError('sources.damaged', 'the metadata of a collection is no JSON', { cause });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new SourceError('sources.damaged', 'the metadata of a collection is no document');
  return documentOfObject(parsed as Document);
}

function guarded(text: string, colon: string | undefined): string {
  return colon === undefined ? text : `"${guard}${text.slice(1)}`;
}

function documentOfObject(value: Document): Uint8Array {
  return documentOf(Object.entries(value).map(([name, one]) => elementOf(name.slice(guard.length), one)));
}

function elementOf(name: string, value: unknown): BsonElement {
  if (Array.isArray(value)) {
    const fields = value.map((one, i) => elementOf(String(i), one));
    return { name, type: bsonTypes.array, value: documentOf(fields) };
  }
  if (typeof value !== 'object' || value === null) return leaf(name, value);
  const names = Object.keys(value);
  if (names[0] === `${guard}$undefined`) return { name, type: bsonTypes.undefined, value: Buffer.alloc(0) };
  if (names[0] === `${guard}$dbPointer`) return pointer(name, bare(value).$dbPointer);
  // A wrapper of a type, not a query operator: those have other names.
  if (names.length > 0 && wrappers.has(names[0]!.slice(guard.length)))
    return leaf(name, BSON.EJSON.deserialize(bare(value), { relaxed: false }));
  return { name, type: bsonTypes.document, value: documentOfObject(value) };
}

const wrappers = new Set([
  ...[
    '$numberInt',
    '$numberLong',
    '$numberDouble',
    '$numberDecimal',
    '$oid',
    '$date',
    '$timestamp',
    '$binary',
  ],
  ...['$regularExpression', '$minKey', '$maxKey', '$symbol', '$code'],
]);

/** The library makes a document of it. */
function pointer(name: string, { $ref, $id }: Document): BsonElement {
  const text = leaf('', String($ref)).value;
  return { name, type: bsonTypes.dbPointer, value: Buffer.concat([text, Buffer.from($id.$oid, 'hex')]) };
}

/** Without the guards. */
function bare(value: unknown): Document {
  if (typeof value !== 'object' || value === null) return value as Document;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name.slice(guard.length), bare(one)]),
  );
}

function leaf(name: string, value: unknown): BsonElement {
  const [element] = elementsOf(BSON.serialize({ v: value }));
  return { ...element!, name };
}
