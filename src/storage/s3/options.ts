import { StorageError } from '../errors.ts';
import type { LockMode } from '../storage.ts';

/** How long a file is kept from being deleted, and by whom. */
export interface LockRule {
  mode: LockMode;
  days: number;
  /** Beginnings of names that are never locked. */
  exempt?: readonly string[];
}

/** What S3 needs to know beyond the location. What is not given is found out, or left to the server. */
export interface S3Options {
  /** Guessed from the host, else `us-east-1`, and corrected by the server's answers. */
  region?: string;
  /** Whether the bucket stands in the path or in the host's name; 'auto': in the name at AWS, in the path elsewhere. */
  style?: 'auto' | 'path' | 'virtual';
  /** Without it: environment, shared configuration, web identity, container or machine, in the SDK's order. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Of the shared configuration (`~/.aws`). */
  profile?: string;
  /** Of files of 128 KiB and more: the cold classes charge small ones as if they were of that size. */
  storageClass?: string;
  /** By the server, with its own key or one of its key service. Our files are encrypted before in any case. */
  encryption?: { kind: 'AES256' } | { kind: 'aws:kms'; keyId?: string };
  /** What is written is locked as it arrives. The bucket must have object lock. */
  lock?: LockRule;
  /** PEM certificates that are trusted beside the usual ones. */
  caFile?: string;
  /** Variables as curl knows them: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`. Default: the process's own. */
  proxy?: Record<string, string | undefined>;
}

/** Variables for people who run one command: the SDK's own names, and ours for what it does not have. */
export function s3OptionsFrom(env: Record<string, string | undefined>): S3Options {
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION;
  const style = env.HOLDFAST_S3_STYLE;
  const storageClass = env.HOLDFAST_S3_STORAGE_CLASS;
  const encryption = env.HOLDFAST_S3_ENCRYPTION;
  return {
    ...(region && { region }),
    ...(style && { style: oneOf('HOLDFAST_S3_STYLE', style, ['auto', 'path', 'virtual']) }),
    ...(storageClass && { storageClass }),
    ...(encryption && { encryption: encryptionOf(encryption) }),
    ...(env.AWS_CA_BUNDLE && { caFile: env.AWS_CA_BUNDLE }),
    proxy: env,
  };
}

/** The login of other variables than the process's own, which the SDK reads itself. */
export function s3LoginFrom(
  env: Record<string, string | undefined>,
): Pick<S3Options, 'credentials' | 'profile'> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE } = env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return AWS_PROFILE ? { profile: AWS_PROFILE } : {};
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  return { credentials: { ...credentials, ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }) } };
}

/** `AES256`, `aws:kms` or `aws:kms:KEY`. */
function encryptionOf(text: string): NonNullable<S3Options['encryption']> {
  const keyId = /^aws:kms:(.+)$/.exec(text)?.[1];
  if (keyId) return { kind: 'aws:kms', keyId };
  return { kind: oneOf('HOLDFAST_S3_ENCRYPTION', text, ['AES256', 'aws:kms']) };
}

function oneOf<T extends string>(variable: string, text: string, known: readonly T[]): T {
  const found = known.find((each) => each === text);
  if (found) return found;
  throw new StorageError('storage.location', `${variable} is "${text}"`, {
    hint: `Set it to one of ${known.join(', ')}, or remove it.`,
  });
}
