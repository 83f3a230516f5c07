import { quoteJson, toExtendedJson } from './extended-json.ts';
import type { ListedCollection } from './list-namespaces.ts';

/** The text of `.metadata.json`, byte for byte as mongodump writes it. */
export function metadataJson({ options, indexes, uuid, name, type }: ListedCollection): string {
  const members = [
    ...(options ? [`"options":${toExtendedJson(options)}`] : []),
    `"indexes":[${indexes.map(toExtendedJson).join(',')}]`,
    ...(uuid ? [`"uuid":"${uuid}"`] : []),
    `"collectionName":${quoteJson(name)}`,
    ...(type ? [`"type":${quoteJson(type)}`] : []),
  ];
  return `{${members.join(',')}}`;
}
