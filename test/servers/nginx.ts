import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireProgram } from './debian.ts';
import { freePort, untilListening } from './free-port.ts';

/** A running nginx on 127.0.0.1. */
interface NginxServer {
  port: number;
  /** Its configuration. */
  file: string;
  stop(): Promise<void>;
}

const startMsMax = 30_000;

/** @param server what stands in its one server block; @param included a second file with blocks; PORT in it is ours */
export async function startNginx({
  server,
  included,
}: {
  server: string;
  included: string;
}): Promise<NginxServer> {
  const program = requireProgram('nginx');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-nginx-'));
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  mkdirSync(join(folder, 'sites'));
  writeFileSync(join(folder, 'sites', 'second.conf'), included.replaceAll('PORT', String(port)));
  writeFileSync(
    file,
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
events {}
http {
  access_log off; ${scratch.join(' ')}
  include sites/*.conf;
  server { listen 127.0.0.1:${port}; ${server} }
}
`,
  );
  const nginx = spawn(program, ['-c', file, '-e', join(folder, 'error.log')], { stdio: 'ignore' });
  const ended = once(nginx, 'exit');
  await untilListening(port, { isGone: () => nginx.exitCode !== null, waitMsMax: startMsMax });
  const stop = async (): Promise<void> => {
    nginx.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, file, stop };
}
