import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { getCACertificates } from 'node:tls';
import { S3Client } from '@aws-sdk/client-s3';
import { messageOf } from '#base';
import { StorageError } from '../errors.ts';
import { type Endpoint, endpointOf, redirected, type Told } from './endpoint.ts';
import { md5Middleware } from './integrity.ts';
import type { S3Options } from './options.ts';
import { type Deed, isRefusal, storageErrorOf } from './s3-error.ts';

/** A place in a bucket. */
export interface S3Place {
  /** `https://host` */
  endpoint: string;
  bucket: string;
  /** Without slashes at its ends; may be empty. */
  prefix: string;
}

/** Sends one request. Called again when the bucket turns out to be elsewhere. */
export type Ask<T> = (client: S3Client, options: { abortSignal?: AbortSignal }) => Promise<T>;

const connectTimeoutMs = 15_000;
/** A server may think long over the end of a large upload. */
const silenceMsMax = 120_000;
const socketsMax = 64;
/** How often one request may be sent elsewhere or with a corrected clock before we give up. */
const correctionsMax = 3;

/** The way to one bucket: finds its region, keeps sockets, and speaks in StorageErrors. */
export class Connection {
  readonly bucket: string;
  readonly #place: string;
  readonly #options: S3Options;
  #endpoint: Endpoint;
  #agents: Agents | undefined;
  #client: S3Client | undefined;

  constructor({ endpoint, bucket }: S3Place, options: S3Options) {
    this.bucket = bucket;
    this.#place = `bucket ${bucket} at ${endpoint}`;
    this.#options = options;
    this.#endpoint = endpointOf(endpoint, bucket, options);
  }

  /** Asks once, or again where the server says that the bucket is elsewhere or that our clock is wrong. */
  async ask<T>(deed: Deed, ask: Ask<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let corrections = 0; ; corrections++) {
      signal?.throwIfAborted();
      const asked = this.#endpoint;
      try {
        return await ask(this.#currentClient(), signal ? { abortSignal: signal } : {});
      } catch (error) {
        signal?.throwIfAborted();
        if (corrections >= correctionsMax || !this.#isCorrected(error, asked))
          throw this.asStorageError(error, deed);
      }
    }
  }

  asStorageError(error: unknown, deed: Deed): unknown {
    return storageErrorOf(error, deed, this.#place);
  }

  close(): void {
    this.#client?.destroy();
    this.#agents?.http.destroy();
    this.#agents?.https.destroy();
  }

  /** Whether asking again has a chance: we know better where to, or what time it is. */
  #isCorrected(error: unknown, asked: Endpoint): boolean {
    if (!isRefusal(error)) return false;
    if ((error.$metadata as { clockSkewCorrected?: boolean }).clockSkewCorrected) return true;
    const { httpStatusCode: status } = error.$metadata;
    const isRedirect = status === 301 || status === 307 || status === 400 || status === 403;
    const next = isRedirect ? redirected(asked, this.bucket, toldBy(error)) : undefined;
    if (!next) return false;
    if (this.#endpoint === asked) this.#moveTo(next);
    return true;
  }

  #moveTo(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
    // Not destroyed: other requests may be on their way. The sockets are the agents', which stay.
    this.#client = undefined;
  }

  #currentClient(): S3Client {
    this.#agents ??= openAgents(this.#options);
    this.#client ??= openClient(this.#endpoint, this.#agents, this.#options);
    return this.#client;
  }
}

interface Agents {
  http: HttpAgent;
  https: HttpsAgent;
}

function openAgents({ caFile, proxy = process.env }: S3Options): Agents {
  const shared = { keepAlive: true, maxSockets: socketsMax, proxyEnv: proxyVariables(proxy) };
  const ca = caFile ? [...getCACertificates('default'), certificatesIn(caFile)] : undefined;
  return { http: new HttpAgent(shared), https: new HttpsAgent({ ...shared, ...(ca && { ca }) }) };
}

function proxyVariables(env: Record<string, string | undefined>): Record<string, string> {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
  return Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

function certificatesIn(file: string): string {
  let cause: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (error) {
    cause = error;
  }
  const reason = cause ? `: ${messageOf(cause)}` : '';
  throw new StorageError('storage.location', `cannot read certificates in ${file}${reason}`, {
    hint: 'Give a readable file of PEM certificates (AWS_CA_BUNDLE), or none.',
    cause,
  });
}

/** Without retries of its own: `retry` wraps every storage, and parts are repeated by the upload. */
function openClient(endpoint: Endpoint, agents: Agents, options: S3Options): S3Client {
  const client = new S3Client({
    ...(endpoint.url ? { endpoint: endpoint.url } : {}),
    region: endpoint.region,
    forcePathStyle: endpoint.isPathStyle,
    ...(options.credentials ? { credentials: options.credentials } : {}),
    ...(options.profile ? { profile: options.profile } : {}),
    // We send our own checksums (integrity.ts); the SDK's default breaks servers that do not know it.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // A server that does not know `Expect: 100-continue` would be waited for six seconds at each large put.
    expectContinueHeader: false,
    maxAttempts: 1,
    requestHandler: {
      httpAgent: agents.http,
      httpsAgent: agents.https,
      connectionTimeout: connectTimeoutMs,
      socketTimeout: silenceMsMax,
    },
  });
  // After the SDK's own checksum, before the signature.
  client.middlewareStack.add(md5Middleware, { name: 'holdfastMd5', step: 'build', priority: 'low' });
  return client;
}

/** From the header, or from the body of the error: `Region`, `Endpoint`. */
function toldBy(error: Error): Told {
  const { Region, Endpoint, $response } = error as {
    Region?: string;
    Endpoint?: string;
    $response?: { headers?: Record<string, string> };
  };
  const { location } = $response?.headers ?? {};
  const region = $response?.headers?.['x-amz-bucket-region'] ?? Region;
  const host = Endpoint ?? (location && URL.canParse(location) ? new URL(location).host : undefined);
  return { region: region || undefined, host: host || undefined };
}
