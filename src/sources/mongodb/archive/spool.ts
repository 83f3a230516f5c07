import { type CipherKey, createCipheriv, randomBytes } from 'node:crypto';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A stretch of the spool. */
export interface Extent {
  offset: number;
  length: number;
}

/**
 * A file for a while: nobody else has its name, and what lies in it is encrypted by a key that only this process
 * holds.
 */
export class Spool {
  readonly #file: FileHandle;
  readonly #key: CipherKey = randomBytes(32);
  #end = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** In the folder for temporary files (TMPDIR), where it needs room for everything that is appended. */
  static async open(): Promise<Spool> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
    try {
      const file = await open(join(folder, 'spool'), 'wx+', 0o600);
      return new Spool(file);
    } finally {
      // An open file stays without its name, and goes with the process.
      await rm(folder, { recursive: true, force: true });
    }
  }

  async append(bytes: Uint8Array): Promise<Extent> {
    const extent = { offset: this.#end, length: bytes.length };
    this.#end += bytes.length;
    const sealed = this.#cipher(extent).update(bytes);
    for (let at = 0; at < sealed.length; )
      at += (await this.#file.write(sealed, at, sealed.length - at, extent.offset + at)).bytesWritten;
    return extent;
  }

  async read(extent: Extent): Promise<Uint8Array> {
    const sealed = Buffer.alloc(extent.length);
    for (let at = 0; at < sealed.length; ) {
      const { bytesRead } = await this.#file.read(sealed, at, sealed.length - at, extent.offset + at);
      if (bytesRead === 0) throw new Error('the file for a while is shorter than it was');
      at += bytesRead;
    }
    return this.#cipher(extent).update(sealed);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Counter mode: each extent counts from its own offset, higher than any length. */
  #cipher({ offset }: Extent) {
    const counter = Buffer.alloc(16);
    counter.writeBigUInt64BE(BigInt(offset));
    return createCipheriv('aes-256-ctr', this.#key, counter);
  }
}
