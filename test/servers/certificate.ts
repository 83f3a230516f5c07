import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireProgram } from './debian.ts';

/** A certificate and its key as PEM. */
interface Certificate {
  cert: string;
  key: string;
}

/** Makes a certificate that signs itself, for `localhost` and other names. */
export function makeCertificate(...names: readonly string[]): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-certificate-'));
  const [cert, key] = [join(folder, 'cert'), join(folder, 'key')];
  const subjects = ['localhost', ...names].map((name) => `DNS:${name}`).join(',');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', '/CN=localhost', '-addext', `subjectAltName=${subjects}`];
  const args = ['req', '-x509', '-days', '2', ...curve, ...subject, '-keyout', key, '-out', cert];
  try {
    const { status, stderr } = spawnSync(requireProgram('openssl'), args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
