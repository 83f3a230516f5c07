import type { ExtendedAttribute, FileAttributes } from '#base';
import type { ObjectMetadata } from '#storage';

/** What extended attributes tell of an object: docs/format/bucket-source.md. */
export interface ObjectRecord {
  etag?: string | undefined;
  versionId?: string | undefined;
  /** In the bucket's location; only where its path in the tree is not that key. */
  key?: string | undefined;
  metadata: ObjectMetadata;
}

const space = 'user.holdfast.object.';

/** Attribute → field of the metadata, where the value is the text itself. */
const texts = {
  'cache-control': 'cacheControl',
  'content-disposition': 'contentDisposition',
  'content-encoding': 'contentEncoding',
  'content-language': 'contentLanguage',
  'content-type': 'contentType',
  expires: 'expires',
  redirect: 'redirect',
  'storage-class': 'storageClass',
} as const satisfies Record<string, keyof ObjectMetadata>;

export function toExtendedAttributes({ etag, versionId, key, metadata }: ObjectRecord): ExtendedAttribute[] {
  const { user, tags } = metadata;
  const values: [string, string | undefined][] = [
    ...Object.entries(texts).map(([name, field]): [string, string | undefined] => [name, metadata[field]]),
    ['etag', etag],
    ['key', key],
    ['metadata', user && sortedJson(user)],
    ['tags', tags && Object.keys(tags).length > 0 ? sortedJson(tags) : undefined],
    ['version', versionId],
  ];
  return values
    .flatMap(([name, value]) =>
      value === undefined ? [] : [{ name: space + name, value: Buffer.from(value) }],
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What is not there, or not of ours, is passed over. */
export function fromExtendedAttributes({ extendedAttributes = [] }: FileAttributes): ObjectRecord {
  const values = new Map(
    extendedAttributes
      .filter(({ name }) => name.startsWith(space))
      .map(({ name, value }) => [name.slice(space.length), Buffer.from(value).toString()]),
  );
  const metadata: ObjectMetadata = {};
  for (const [name, field] of Object.entries(texts)) {
    const value = values.get(name);
    if (value !== undefined) metadata[field] = value;
  }
  const user = recordOf(values.get('metadata'));
  const tags = recordOf(values.get('tags'));
  if (user) metadata.user = user;
  if (tags) metadata.tags = tags;
  return { etag: values.get('etag'), versionId: values.get('version'), key: values.get('key'), metadata };
}

/** Equal for equal fields, whatever order the server has them in, so that trees stay the same. */
function sortedJson(fields: Record<string, string>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function recordOf(json: string | undefined): Record<string, string> | undefined {
  if (json === undefined) return undefined;
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
