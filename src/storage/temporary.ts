import { basename, dirname, join } from 'node:path';
import { systemRandom, toHex } from '#base';

const suffix = /-tmp-[0-9a-f]{16}$/;
const suffixBytes = '-tmp-'.length + 16;
/** Of one part of a path, on every file system we met. */
const nameBytesMax = 255;

/** A name beside the final one, as restic does it. */
export function temporaryPath(path: string): string {
  const random = toHex(systemRandom.fill(new Uint8Array(8)));
  return join(dirname(path), `${shortened(basename(path))}-tmp-${random}`);
}

/** Whether a name is one of our temporary ones. */
export function isTemporary(name: string): boolean {
  return suffix.test(name);
}

/** The beginning of a name, so that the suffix fits. */
function shortened(name: string): string {
  let start = name;
  while (Buffer.byteLength(start) > nameBytesMax - suffixBytes) start = start.slice(0, -1);
  // Half of a surrogate pair would become three other bytes.
  return start.isWellFormed() ? start : start.slice(0, -1);
}
