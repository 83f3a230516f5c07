// Writes without end until it is killed, and prints the name of each file whose write was resolved.
import { createHash } from 'node:crypto';
import { systemRandom } from '#base';
import { LocalStorage } from '../local/local-storage.ts';

const storage = new LocalStorage(process.argv[2]!);

function newContent(): { bytes: Uint8Array; hash: string } {
  const bytes = systemRandom.fill(new Uint8Array(1 + systemRandom.below(2_000_000)));
  return { bytes, hash: createHash('sha256').update(bytes).digest('hex') };
}

/** New files, named by the hash of their content. */
async function addFiles(): Promise<never> {
  for (;;) {
    const { bytes, hash } = newContent();
    const name = `data/${hash.slice(0, 2)}/${hash}`;
    await storage.write(name, bytes, { ifAbsent: systemRandom.below(2) === 0 });
    process.stdout.write(`${name}\n`);
  }
}

/** One file again and again; its content ends in its own hash. */
async function replaceFile(): Promise<never> {
  for (;;) {
    const { bytes, hash } = newContent();
    await storage.write('latest', [bytes, Buffer.from(hash, 'hex')]);
    process.stdout.write('latest\n');
  }
}

await Promise.all([addFiles(), addFiles(), replaceFile()]);
