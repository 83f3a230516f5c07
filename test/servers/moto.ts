import { spawnSync } from 'node:child_process';
import { installOnce } from './cache.ts';
import { type S3Server, startS3Server } from './s3-server.ts';

const version = '5.2.5';

/**
 * Starts S3 in memory, another dialect. It lies where locks are concerned: a compliance lock can be shortened, uploads
 * in parts lose theirs, and GetObjectRetention's answer cannot be read by the SDK.
 */
export function startMoto(): Promise<S3Server> {
  return startS3Server({
    path: 'python3',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any-secret' },
    env: { PYTHONPATH: requireMoto() },
    args: ({ port }) => ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
  });
}

/** The folder of Python's modules. @throws Error with the command that installs them */
function requireMoto(): string {
  return installOnce(`moto-${version}`, (target) => {
    const args = ['-m', 'pip', '-q', 'install', '--target', target, `moto[server,s3]==${version}`];
    const run = spawnSync('python3', args, { encoding: 'utf8' });
    if (run.status === 0) return;
    const reason = run.error?.message ?? run.stderr;
    throw new Error(`cannot have moto; by hand: python3 ${args.join(' ')}\n${reason}`);
  });
}
