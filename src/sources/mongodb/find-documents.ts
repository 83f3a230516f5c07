import { BSON } from 'mongodb';
import { SourceError } from '../errors.ts';
import { type BsonElement, bsonTypes, documentsIn, elementsOf, findElement } from './bson-bytes.ts';
import { numberOf } from './bson-values.ts';
import { toExtendedJson } from './extended-json.ts';
import { fromExtendedJson } from './from-extended-json.ts';
import { type DumpManifest, dumpFolder } from './manifest.ts';
import { type NamespaceChoice, namespaceFilter } from './namespaces.ts';
import type { OpenDumpFile } from './read-dump-back.ts';

/** A document of a stored dump. */
export interface FoundDocument {
  namespace: string;
  /** Canonical Extended JSON v2. */
  json: string;
}

type Value = Pick<BsonElement, 'type' | 'value'>;

/**
 * The documents of a dump whose `_id` is one of these. Each may be Extended JSON (`{"$oid":"…"}`, `{"a":1}`), or what
 * a person types: 24 hex digits mean an ObjectId too, a number a number of whatever type, everything else a text.
 * @throws SourceError 'sources.pattern' when an id cannot be read
 */
export async function* findDocuments(
  manifest: DumpManifest,
  open: OpenDumpFile,
  { ids, ...choice }: NamespaceChoice & { ids: readonly string[] },
): AsyncGenerator<FoundDocument> {
  const isMatch = idMatcher(ids);
  const isWanted = namespaceFilter(choice);
  for (const { database, name, dataFile, content } of manifest.collections) {
    const namespace = `${database}.${name}`;
    if (!dataFile || !content || !isWanted(namespace)) continue;
    for await (const document of documentsIn(open(`${dumpFolder}/${dataFile}`))) {
      if (isMatch(document)) yield { namespace, json: toExtendedJson(document) };
    }
  }
}

/** Whether a document has one of these `_id`s. @throws SourceError 'sources.pattern' */
export function idMatcher(ids: readonly string[]): (document: Uint8Array) => boolean {
  const wanted = ids.flatMap(valuesOf);
  return (document) => {
    const id = findElement(document, '_id');
    return id !== undefined && wanted.some((one) => isSameId(one, id));
  };
}

function valuesOf(text: string): Value[] {
  if (/^[{["]/.test(text)) return [parsed(text)];
  const values = [plainValue(text)];
  if (/^[0-9a-f]{24}$/i.test(text)) values.push(plainValue(new BSON.ObjectId(text)));
  if (/^-?\d{1,15}(\.\d+)?$/.test(text)) values.push(plainValue(new BSON.Double(Number(text))));
  return values;
}

function parsed(text: string): Value {
  try {
    return findElement(fromExtendedJson(`{"v":${text}}`), 'v')!;
  } catch (cause) {
    throw new SourceError('sources.pattern', `cannot read ${text} as an _id`, {
      hint: 'Write it as Extended JSON, such as {"$oid":"…"} or {"a":1}, or plainly as text or number.',
      cause,
    });
  }
}

function plainValue(value: unknown): Value {
  const [element] = elementsOf(BSON.serialize({ v: value }));
  return element!;
}

const numberTypes: ReadonlySet<number> = new Set([bsonTypes.double, bsonTypes.int32, bsonTypes.int64]);

/** As a server sees it: 1 is 1, whatever its type. */
function isSameId(one: Value, other: Value): boolean {
  if (numberTypes.has(one.type) && numberTypes.has(other.type))
    return numberOf({ name: '', ...one }) === numberOf({ name: '', ...other });
  return one.type === other.type && Buffer.compare(one.value, other.value) === 0;
}
