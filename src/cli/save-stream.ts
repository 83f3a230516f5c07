import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { messageOf } from '#base';
import { CliError } from './errors.ts';

/**
 * Writes a stream to a file that appears only when it is whole, and its SHA-256 beside it as `sha256sum` writes
 * and checks it.
 */
export async function saveStream(content: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  const partial = `${path}.part`;
  const hash = createHash('sha256');
  const file = await openTarget(partial);
  try {
    for await (const piece of content) {
      hash.update(piece);
      await file.writeFile(piece);
    }
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(partial, { force: true });
    throw error;
  }
  await file.close();
  await rename(partial, path);
  await writeSum(path, hash.digest('hex'));
}

async function openTarget(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600);
  } catch (cause) {
    throw new CliError('cli.target', `cannot write ${path}: ${messageOf(cause)}`, {
      hint: 'Name a file in a folder that is there and that you may write to.',
      cause,
    });
  }
}

async function writeSum(path: string, sum: string): Promise<void> {
  const file = await open(`${path}.sha256`, 'w', 0o600);
  await file.writeFile(`${sum}  ${basename(path)}\n`);
  await file.sync();
  await file.close();
}
