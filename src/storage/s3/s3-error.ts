import { type Retry, systemCodeOf } from '#base';
import { StorageError, type StorageErrorCode } from '../errors.ts';

/** What a request is for, for errors. */
export interface Deed {
  /** What could not be done: `write data/ab/abcd` */
  action: string;
  /** The permission that it needs, by AWS's name, which the others use too. */
  right: string;
}

interface Verdict {
  code: StorageErrorCode;
  hint: string;
  retry?: Retry;
}

/** What an S3 server's refusal carries, as the SDK gives it. */
interface Refusal {
  name: string;
  message: string;
  $metadata: { httpStatusCode?: number };
}

const denied: Verdict = {
  code: 'storage.access-denied',
  hint: 'the whole policy is in docs/guide/s3.md. Then run `holdfast storage test`.',
};
const badKey: Verdict = {
  code: 'storage.access-denied',
  hint: 'Check the access key and its secret (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or the profile).',
};
const expired: Verdict = {
  code: 'storage.access-denied',
  hint: 'The session of these credentials has ended. Sign in again, or use credentials that renew themselves.',
};
const noBucket: Verdict = {
  code: 'storage.not-found',
  hint: 'Check the name of the bucket and the region, or create the bucket.',
};
const noFile: Verdict = {
  code: 'storage.not-found',
  hint: 'Check the location; somebody may have removed the file.',
};
const busy: Verdict = {
  code: 'storage.unreachable',
  hint: 'The server asks for fewer requests. Lower the concurrency or the upload rate if this comes back.',
  retry: 'soon',
};
const broken: Verdict = {
  code: 'storage.unreachable',
  hint: 'The server reports a fault of its own. Look at its state if this comes back.',
  retry: 'soon',
};
const damaged: Verdict = {
  code: 'storage.interrupted',
  hint: 'Bytes changed on their way to the server. If this comes back, check the network, proxy and memory of this machine.',
};
const forgotten: Verdict = {
  code: 'storage.interrupted',
  hint: 'Somebody ended the upload, by hand or by a lifecycle rule. Start again.',
};
const skewed: Verdict = {
  code: 'storage.failed',
  hint: "Set this machine's clock (NTP): it differs from the server's by more than 15 minutes.",
  retry: 'soon',
};
const exists: Verdict = {
  code: 'storage.exists',
  hint: 'Somebody else made it first. Look at what is there before you go on.',
};
const full: Verdict = {
  code: 'storage.no-space',
  hint: 'Free some room or raise the quota of this bucket, then start again.',
};
const badName: Verdict = { code: 'storage.name', hint: 'This server cannot keep a file of that name.' };
const elsewhere: Verdict = {
  code: 'storage.location',
  hint: "Give the region's own address (s3:https://s3.REGION.HOST/BUCKET), or set AWS_REGION.",
};
const locked: Verdict = {
  code: 'storage.locked',
  hint: 'Object lock keeps this file; it can be deleted when its lock has ended.',
};
const lacking: Verdict = {
  code: 'storage.unsupported',
  hint: 'This server or bucket does not have that power; `holdfast storage test` shows what it has.',
};
const cold: Verdict = {
  code: 'storage.failed',
  hint: 'The file lies in an archive class. Restore it there to a class that can be read, then start again.',
};

/** What a server means, by the code in its answer's body. Most are of AWS; the rest say whose they are. */
const byName: Record<string, Verdict> = {
  NoSuchKey: noFile,
  NotFound: noFile,
  NoSuchVersion: noFile,
  NoSuchBucket: noBucket,
  NoSuchUpload: forgotten,
  AccessDenied: denied,
  AllAccessDisabled: denied,
  AccountProblem: denied,
  UnauthorizedAccess: denied, // Wasabi
  InvalidAccessKeyId: badKey,
  SignatureDoesNotMatch: badKey,
  InvalidSecurity: badKey,
  CredentialsProviderError: badKey,
  ExpiredToken: expired,
  InvalidToken: expired,
  TokenRefreshRequired: expired,
  SlowDown: busy,
  SlowDownRead: busy, // MinIO
  SlowDownWrite: busy, // MinIO
  Throttling: busy,
  ThrottlingException: busy,
  RequestLimitExceeded: busy,
  RequestRateLimitExceeded: busy, // Wasabi, with status 400
  TooManyRequests: busy,
  BandwidthLimitExceeded: busy,
  InternalError: broken,
  ServiceUnavailable: broken,
  OperationAborted: broken,
  RequestTimeout: broken,
  RequestTimeTooSkewed: skewed,
  ConditionalRequestConflict: broken,
  BadDigest: damaged,
  IncompleteBody: damaged,
  XAmzContentSHA256Mismatch: damaged,
  XAmzContentChecksumMismatch: damaged, // MinIO
  PreconditionFailed: exists,
  QuotaExceeded: full,
  StorageFull: full,
  XMinioStorageFull: full,
  XMinioAdminBucketQuotaExceeded: full,
  KeyTooLongError: badName,
  InvalidObjectName: badName,
  XMinioInvalidObjectName: badName,
  XMinioParentIsObject: badName,
  ObjectParentIsFile: badName, // versitygw
  ExistingObjectIsDirectory: badName, // versitygw
  PermanentRedirect: elsewhere,
  TemporaryRedirect: elsewhere,
  Redirect: elsewhere,
  AuthorizationHeaderMalformed: elsewhere,
  IllegalLocationConstraintException: elsewhere,
  InvalidBucketName: elsewhere,
  ObjectLocked: locked, // versitygw
  NotImplemented: lacking,
  MethodNotAllowed: lacking,
  ObjectLockConfigurationNotFoundError: lacking,
  InvalidObjectState: cold,
};

/** For answers without a body, as those to HEAD. */
const byStatus: Record<number, Verdict> = {
  301: elsewhere,
  307: elsewhere,
  401: badKey,
  403: denied,
  404: noFile,
  409: broken,
  412: exists,
  429: busy,
  501: lacking,
  503: busy,
  507: full,
};

const unreached: Verdict = {
  code: 'storage.unreachable',
  hint: 'Check the address, the network and a proxy (HTTPS_PROXY) on the way to the server.',
};
const distrusted: Verdict = {
  code: 'storage.unreachable',
  hint: "Check the server's certificate; give the authority that signed it by AWS_CA_BUNDLE.",
  retry: 'never',
};

/** Anything that the SDK throws as a StorageError; what is not of the storage stays as it is. */
export function storageErrorOf(error: unknown, { action, right }: Deed, place: string): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  const verdict = verdictOf(error);
  if (!verdict) return error;
  const { code, hint, retry } = verdict;
  const status = isRefusal(error) ? error.$metadata.httpStatusCode : undefined;
  return new StorageError(code, `cannot ${action} in ${place}: ${reasonOf(error)}`, {
    hint: verdict === denied ? `Allow ${right} for this access key; ${denied.hint}` : hint,
    ...(retry ? { retry } : {}),
    context: { place, s3Code: error.name, ...(status ? { status } : {}) },
    cause: error,
  });
}

function verdictOf(error: Error): Verdict | undefined {
  if (isWithoutLock(error)) return lacking;
  if (isLockRefusal(error)) return locked;
  const known = Object.hasOwn(byName, error.name) ? byName[error.name] : undefined;
  if (known) return known;
  const status = isRefusal(error) ? error.$metadata.httpStatusCode : undefined;
  if (status !== undefined) return byStatus[status] ?? (status >= 500 ? broken : failed(status));
  return connectionVerdict(error);
}

function connectionVerdict(error: Error): Verdict | undefined {
  const code = codeOf(error);
  if (/CERT|SIGNATURE|SELF_SIGNED|ISSUER/.test(code)) return distrusted;
  if (error.name === 'TimeoutError' || code === 'EPROTO' || code === 'ERR_PROXY_TUNNEL') return unreached;
  return systemCodeOf(error) ? unreached : undefined;
}

/** Of a connection that failed: `ECONNRESET`, `DEPTH_ZERO_SELF_SIGNED_CERT`. */
function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : error.name;
}

function failed(status: number): Verdict {
  return {
    code: 'storage.failed',
    hint: `The server refused with status ${status}; its reason stands in the message.`,
  };
}

/** A lock was asked of a bucket that has none: 400 InvalidRequest at AWS. */
function isWithoutLock(error: Error): boolean {
  return isRefusal(error) && /missing object ?lock|lock is not enabled/i.test(error.message);
}

/** A locked version: 403 AccessDenied at AWS and versitygw, 400 InvalidRequest at MinIO; the words tell. */
function isLockRefusal(error: unknown): boolean {
  const names = ['AccessDenied', 'InvalidRequest', 'ObjectLocked'];
  return isRefusal(error) && names.includes(error.name) && /object lock|WORM|retention/i.test(error.message);
}

export function isRefusal(error: unknown): error is Error & Refusal {
  return error instanceof Error && typeof (error as { $metadata?: unknown }).$metadata === 'object';
}

/** The code in the answer's body, where the error is a server's refusal or made of one. */
export function s3CodeOf(error: unknown): string | undefined {
  const refusal = error instanceof StorageError ? error.cause : error;
  return isRefusal(refusal) ? refusal.name : undefined;
}

function reasonOf(error: Error): string {
  const code = isRefusal(error) ? error.name : codeOf(error);
  const text = error.message.replace(/\.$/, '');
  return text && text !== code && text !== 'UnknownError' ? `${text} (${code})` : code;
}
