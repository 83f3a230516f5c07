import * as crypto from 'node:crypto';
import { readFileSync } from 'node:fs';

/** `createMac` appeared in Node 26 and @types/node does not know it everywhere. */
interface Mac {
  update(bytes: Uint8Array): Mac;
  final(): Uint8Array;
}
type CreateMac = (name: string, key: Uint8Array) => Mac;

const createMac = (crypto as { createMac?: CreateMac }).createMac;

/** The 16-byte Poly1305 tag of the message under a 32-byte one-time key `r || s` (RFC 8439, 2.5). */
export const poly1305: (key: Uint8Array, message: Uint8Array) => Uint8Array = createMac
  ? (key, message) => createMac('poly1305', key).update(message).final()
  : wasmPoly1305;

/** Exports of assembly/poly1305.ts, and the places in its memory. */
interface Exports {
  memory: { buffer: ArrayBuffer };
  begin(): void;
  absorb(length: number, top: bigint): void;
  finish(): void;
}
const keyAt = 1024;
const tagAt = 1056;
const messageAt = 4096;
const pieceBytes = 32 * 1024;
const blockBytes = 16;

let loaded: { exports: Exports; bytes: Uint8Array } | undefined;

/** The same in our own WebAssembly, for a Node without `createMac`. */
export function wasmPoly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  loaded ??= load();
  const { exports, bytes } = loaded;
  bytes.set(key.subarray(0, 32), keyAt);
  exports.begin();
  const wholeBytes = message.length - (message.length % blockBytes);
  for (let at = 0; at < wholeBytes; at += pieceBytes) {
    const piece = message.subarray(at, Math.min(at + pieceBytes, wholeBytes));
    bytes.set(piece, messageAt);
    exports.absorb(piece.length, 1n);
  }
  if (wholeBytes < message.length) {
    bytes.fill(0, messageAt, messageAt + blockBytes);
    bytes.set(message.subarray(wholeBytes), messageAt);
    bytes[messageAt + message.length - wholeBytes] = 1;
    exports.absorb(blockBytes, 0n);
  }
  exports.finish();
  return bytes.slice(tagAt, tagAt + 16);
}

function load(): { exports: Exports; bytes: Uint8Array } {
  const module = new WebAssembly.Module(readFileSync(new URL('./generated/poly1305.wasm', import.meta.url)));
  const exports = new WebAssembly.Instance(module, {}).exports as unknown as Exports;
  return { exports, bytes: new Uint8Array(exports.memory.buffer) };
}
