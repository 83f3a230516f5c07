import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cachedFolder, installOnce } from './cache.ts';
import { type S3Server, startS3Server } from './s3-server.ts';

const version = 'v0.0.0-20260212201848-7aac2a2c5b7c';
const name = `minio-${version}`;
const credentials = { accessKeyId: 'holdfast', secretAccessKey: 'holdfast-secret' };

/** Starts MinIO, which has what versitygw lacks (lifecycle rules) and refuses in other words; undefined when it was never built. */
export async function startMinio(): Promise<S3Server | undefined> {
  const folder = cachedFolder(name);
  if (!folder) return undefined;
  return startS3Server({
    path: join(folder, 'minio'),
    credentials,
    env: {
      MINIO_ROOT_USER: credentials.accessKeyId,
      MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
      MINIO_UPDATE: 'off',
      MINIO_BROWSER: 'off',
    },
    args({ port, folder: place }) {
      const data = join(place, 'data');
      mkdirSync(data);
      return ['server', data, '--address', `127.0.0.1:${port}`, '--quiet'];
    },
  });
}

/** Builds it into the cache: ten minutes and more, so only when asked for. */
export function buildMinio(): void {
  installOnce(name, (target) => {
    const args = ['install', '-trimpath', '-ldflags=-s -w', `github.com/minio/minio@${version}`];
    const env = { ...process.env, GOBIN: target };
    const run = spawnSync('go', args, { stdio: ['ignore', 'inherit', 'inherit'], env });
    if (run.status !== 0) throw new Error('go could not build MinIO', { cause: run.error });
  });
}
