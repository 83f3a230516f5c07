import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { installOnce } from './cache.ts';

const version = '24.21.0';

/** The oldest Node that the published package supports. @returns its path */
export function requireNode24(): string {
  const name = `node-linux-${process.arch}`;
  const folder = installOnce(`${name}-${version}`, (target) => {
    const args = ['install', '--prefix', target, '--no-save', '--prefer-offline', `${name}@${version}`];
    const run = spawnSync('npm', args, { encoding: 'utf8' });
    if (run.status !== 0)
      throw new Error(`cannot have Node 24; by hand: npm ${args.join(' ')}\n${run.stderr}`);
  });
  return join(folder, 'node_modules', name, 'bin/node');
}
