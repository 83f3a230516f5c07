import { readFileSync } from 'node:fs';

/** The version in package.json, which lies two folders above in a checkout and in the package. */
export function versionNumber(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** What `holdfast version` prints. */
export function programVersion(): string {
  return `holdfast ${versionNumber()} on Node ${process.version} (${process.platform} ${process.arch})\n`;
}
