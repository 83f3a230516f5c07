import type {
  CopyObjectCommandInput,
  HeadObjectCommandOutput,
  PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import type { ObjectFacts, ObjectMetadata } from '../storage.ts';

/** Fields of S3's calls that carry what is kept beside the bytes, but for the user's own, tags and `expires`. */
const fields = {
  contentType: 'ContentType',
  contentEncoding: 'ContentEncoding',
  contentLanguage: 'ContentLanguage',
  contentDisposition: 'ContentDisposition',
  cacheControl: 'CacheControl',
  redirect: 'WebsiteRedirectLocation',
  storageClass: 'StorageClass',
} as const satisfies Partial<Record<keyof ObjectMetadata, keyof CopyObjectCommandInput>>;

/** For a request that makes an object. */
export function metadataFields(metadata: ObjectMetadata): Partial<PutObjectCommandInput> {
  const { expires, user, tags } = metadata;
  const plain = Object.entries(fields).flatMap(([name, field]) => {
    const value = metadata[name as keyof typeof fields];
    return value === undefined ? [] : [[field, value]];
  });
  return {
    ...(Object.fromEntries(plain) as Partial<PutObjectCommandInput>),
    ...(expires && !Number.isNaN(Date.parse(expires)) && { Expires: new Date(expires) }),
    ...(user && { Metadata: user }),
    ...(tags && Object.keys(tags).length > 0 && { Tagging: tagging(tags) }),
  };
}

/** As the parameters of an address, in which a `+` would not be read as a space everywhere. */
function tagging(tags: Record<string, string>): string {
  return Object.entries(tags)
    .map((tag) => tag.map(encodeURIComponent).join('='))
    .join('&');
}

/** What the answer to a GET or HEAD says. Of a part, the size of the whole. */
export function factsOf(
  name: string,
  answer: Omit<HeadObjectCommandOutput, 'Expires'> & { ContentRange?: string | undefined },
): ObjectFacts {
  const { ContentLength, LastModified, ETag, VersionId, StorageClass, TagCount, MissingMeta } = answer;
  const wholeBytes = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
  const metadata: ObjectMetadata = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = answer[field];
    if (value) metadata[name as keyof typeof fields] = value;
  }
  if (answer.ExpiresString) metadata.expires = answer.ExpiresString;
  if (answer.Metadata && Object.keys(answer.Metadata).length > 0) metadata.user = answer.Metadata;
  return {
    name,
    sizeBytes: wholeBytes === undefined ? (ContentLength ?? 0) : Number(wholeBytes),
    ...(LastModified && { modifiedAt: LastModified }),
    ...(ETag && { etag: ETag }),
    ...(VersionId && VersionId !== 'null' && { versionId: VersionId }),
    ...(StorageClass && { storageClass: StorageClass }),
    ...(TagCount !== undefined && { tagCount: TagCount }),
    ...(MissingMeta && { unreadableCount: MissingMeta }),
    metadata,
  };
}
