import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { installOnce } from './cache.ts';
import { type S3Server, startS3Server } from './s3-server.ts';

const version = 'v1.8.0';
const credentials = { accessKeyId: 'holdfast', secretAccessKey: 'holdfast-secret' };

/** Starts S3 over a folder, with real versions and object lock, which answers as AWS does. Its file system must keep user xattrs. */
export function startVersitygw(): Promise<S3Server> {
  return startS3Server({
    path: requireVersitygw(),
    credentials,
    env: { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey },
    args({ port, folder }) {
      const [data, versions] = ['data', 'versions'].map((name) => join(folder, name)) as [string, string];
      for (const path of [data, versions]) mkdirSync(path);
      const common = ['--port', `127.0.0.1:${port}`, '--region', 'us-east-1'];
      return [...common, 'posix', '--versioning-dir', versions, data];
    },
  });
}

/** The program's path, built once (about three minutes). @throws Error with the command that builds it */
function requireVersitygw(): string {
  const folder = installOnce(`versitygw-${version}`, (target) => {
    const args = ['install', '-trimpath', '-ldflags=-s -w'];
    const module = `github.com/versity/versitygw/cmd/versitygw@${version}`;
    const run = spawnSync('go', [...args, module], {
      encoding: 'utf8',
      env: { ...process.env, GOBIN: target },
    });
    if (run.status === 0) return;
    const reason = run.error?.message ?? run.stderr;
    throw new Error(`cannot have versitygw; by hand: GOBIN=FOLDER go ${args.join(' ')} ${module}\n${reason}`);
  });
  return join(folder, 'versitygw');
}
