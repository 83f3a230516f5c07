import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { freePort, untilListening } from './free-port.ts';

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

/** A running server on 127.0.0.1 that is ours alone. */
export interface S3Server {
  /** `http://127.0.0.1:PORT` */
  endpoint: string;
  credentials: Credentials;
  /** To look at, and to do, what the product does not. */
  client: S3Client;
  /** Makes an empty bucket. @returns its name */
  makeBucket(options?: { keeps?: 'versions' | 'locks' }): Promise<string>;
  stop(): Promise<void>;
}

interface Start {
  port: number;
  /** Removed when the server is stopped. */
  folder: string;
}

export interface ServerProgram {
  path: string;
  credentials: Credentials;
  args(start: Start): string[];
  env?: NodeJS.ProcessEnv;
}

const startMsMax = 60_000;

export async function startS3Server({ path, credentials, args, env }: ServerProgram): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-s3-'));
  const port = await freePort();
  const log = openSync(join(folder, 'log'), 'w');
  const server = spawn(path, args({ port, folder }), {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env },
  });
  closeSync(log);
  const ended = once(server, 'exit');
  const stop = async () => {
    server.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilListening(port, { isGone: () => server.exitCode !== null, waitMsMax: startMsMax });
  } catch (error) {
    const text = readFileSync(join(folder, 'log'), 'utf8');
    await stop();
    throw new Error(`${path} did not start:\n${text}`, { cause: error });
  }
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  return { endpoint, credentials, client, makeBucket: bucketMaker(client), stop };
}

function bucketMaker(client: S3Client): S3Server['makeBucket'] {
  let count = 0;
  return async ({ keeps } = {}) => {
    const Bucket = `bucket-${++count}`;
    const ObjectLockEnabledForBucket = keeps === 'locks';
    await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket }));
    if (keeps === 'versions') {
      const VersioningConfiguration = { Status: 'Enabled' as const };
      await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    }
    return Bucket;
  };
}
