import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * How the server checks what arrives. Every request is signed with the SHA-256 of its body as well; some servers
 * do not look at that. CRC-32 is the quicker one and kept beside the file; Content-MD5 is what all know.
 */
export type ChecksumKind = 'crc32' | 'md5';

/** The fields of a request that carry the checksum. */
export function checksumFields(
  kind: ChecksumKind,
  bytes: Uint8Array,
): { ChecksumCRC32: string } | { ContentMD5: string } {
  return kind === 'crc32' ? { ChecksumCRC32: crc32Of(bytes) } : { ContentMD5: md5Of(bytes) };
}

function crc32Of(bytes: Uint8Array): string {
  const value = Buffer.alloc(4);
  value.writeUInt32BE(crc32(bytes));
  return value.toString('base64');
}

export function md5Of(bytes: Uint8Array | string): string {
  return createHash('md5').update(bytes).digest('base64');
}

interface Sent {
  request: unknown;
}

/** Where S3 demands a checksum and the SDK would send CRC-32 (setting a retention), old servers want Content-MD5. */
export function md5Middleware<Output>(next: (args: never) => Promise<Output>) {
  return async (args: Sent): Promise<Output> => {
    const { headers, body } = args.request as { headers: Record<string, string>; body?: unknown };
    if (headers['x-amz-sdk-checksum-algorithm'] && (typeof body === 'string' || body instanceof Uint8Array)) {
      for (const name of Object.keys(headers))
        if (/^x-amz-(?:sdk-)?checksum-/.test(name)) delete headers[name];
      headers['content-md5'] = md5Of(body);
    }
    return next(args as never);
  };
}
