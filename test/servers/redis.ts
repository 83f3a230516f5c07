import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireProgram } from './debian.ts';
import { freePort, untilListening } from './free-port.ts';

/** A running Redis on 127.0.0.1 that is ours alone. */
interface RedisServer {
  port: number;
  folder: string;
  stop(): Promise<void>;
}

const startMsMax = 30_000;

/** @param password that it asks for */
export async function startRedis(password?: string): Promise<RedisServer> {
  const program = requireProgram('redis-server');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  const login = password ? ['--requirepass', password] : [];
  const args = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '', ...login];
  const server = spawn(program, args, { stdio: 'ignore' });
  const ended = once(server, 'exit');
  await untilListening(port, { isGone: () => server.exitCode !== null, waitMsMax: startMsMax });
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, folder, stop };
}
