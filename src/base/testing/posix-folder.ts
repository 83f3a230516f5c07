import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Place, Posix } from '../posix.ts';

const root = fs.mkdtempSync(join(tmpdir(), 'holdfast-posix-'));
after(() => fs.rmSync(root, { recursive: true, force: true }));

/** A folder of its own for one test, closed and left to `after`. */
export function inFolder(
  posix: Posix,
  work: (at: (name: string | Buffer) => Place, path: string) => void,
): void {
  const path = fs.mkdtempSync(join(root, 'test-'));
  const folder = posix.openFolder(path);
  try {
    work((name) => ({ folder, name: Buffer.from(name as string) }), path);
  } finally {
    posix.close(folder);
  }
}

/** For `assert.throws`: Node's kind of system error. */
export const withCode = (code: string) => (error: NodeJS.ErrnoException) => {
  assert.equal(error.code, code, error.message);
  assert.equal(typeof error.errno, 'number');
  assert.equal(typeof error.syscall, 'string');
  assert(error.message.startsWith(`${code}: `), error.message);
  return true;
};
