import { type BsonElement, findElement } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';
import { dataPlaceOf } from './data-place.ts';
import { orderedDocument } from './ordered-document.ts';
import { asStored } from './raw-insert.ts';
import type { PlannedCollection } from './restore-plan.ts';

const askedAtOnce = 1000;

/** Of documents that a target refused as doubles, how many it holds byte for byte. */
export async function countKept(
  connection: MongoConnection,
  { manifest, database, name }: PlannedCollection,
  documents: readonly Uint8Array[],
): Promise<number> {
  const { collection, isRawData } = dataPlaceOf({ type: manifest.type, name }, connection.server);
  let kept = 0;
  for (let at = 0; at < documents.length; at += askedAtOnce) {
    const asked = documents.slice(at, at + askedAtOnce);
    const ids = asked.map((document) => orderedDocument(document).get('_id'));
    const command = {
      find: collection,
      filter: { _id: { $in: ids } },
      ...(isRawData ? { rawData: true } : {}),
    };
    const what = `cannot compare what ${database}.${name} holds already`;
    const there = new Map<string, Uint8Array>();
    for (const one of await connection.rawDocuments(database, command, what)) there.set(keyOf(one), one);
    for (const document of asked) {
      const found = there.get(keyOf(document));
      if (found && (isSame(found, document) || isSame(found, asStored(document)))) kept++;
    }
  }
  return kept;
}

function keyOf(document: Uint8Array): string {
  const { type, value }: Pick<BsonElement, 'type' | 'value'> = findElement(document, '_id') ?? {
    type: 0,
    value: new Uint8Array(),
  };
  return `${type} ${Buffer.from(value).toString('base64')}`;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
