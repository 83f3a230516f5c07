import * as crypto from 'node:crypto';

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
  : portablePoly1305;

const limbs = 10;
const limbBits = 13;
const limbMask = 0x1fff;

/** Poly1305 in plain JavaScript, for a Node without `createMac`. Ten limbs of 13 bits: sums of products stay below 2^53. */
export function portablePoly1305(key: Uint8Array, message: Uint8Array): Uint8Array {
  const r = toLimbs(clamped(key));
  const sum = new Float64Array(limbs);
  const block = new Uint8Array(17);
  for (let at = 0; at < message.length; at += 16) {
    const part = message.subarray(at, at + 16);
    block.fill(0);
    block.set(part);
    block[part.length] = 1;
    const addend = toLimbs(block);
    for (let i = 0; i < limbs; i++) sum[i]! += addend[i]!;
    multiply(sum, r);
  }
  return finish(sum, key.subarray(16, 32));
}

/** `r` with the bits cleared that RFC 8439 clears. */
function clamped(key: Uint8Array): Uint8Array {
  const r = key.slice(0, 16);
  for (const i of [3, 7, 11, 15]) r[i]! &= 15;
  for (const i of [4, 8, 12]) r[i]! &= 252;
  return r;
}

/** Little-endian bytes (up to 130 bits) as limbs. */
function toLimbs(bytes: Uint8Array): Float64Array {
  const result = new Float64Array(limbs);
  for (let i = 0; i < limbs; i++) {
    const bit = i * limbBits;
    const at = bit >> 3;
    const three = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    result[i] = (three >> (bit & 7)) & limbMask;
  }
  return result;
}

/** sum = sum · r mod 2^130 − 5, with limbs a little over 13 bits at most. */
function multiply(sum: Float64Array, r: Float64Array): void {
  const product = new Float64Array(limbs);
  for (let i = 0; i < limbs; i++) {
    for (let j = 0; j < limbs; j++) {
      // 2^130 = 5: what passes the top limb comes back five times at the bottom.
      const term = sum[i]! * r[j]!;
      if (i + j < limbs) product[i + j]! += term;
      else product[i + j - limbs]! += 5 * term;
    }
  }
  carry(product);
  sum.set(product);
}

function carry(value: Float64Array): void {
  for (let round = 0; round < 2; round++) {
    let over = 0;
    for (let i = 0; i < limbs; i++) {
      const limb = value[i]! + over;
      over = Math.floor(limb / 8192);
      value[i] = limb - over * 8192;
    }
    value[0]! += over * 5;
  }
}

/** (sum mod 2^130 − 5) + s mod 2^128, little-endian. */
function finish(sum: Float64Array, s: Uint8Array): Uint8Array {
  carry(sum);
  let value = 0n;
  for (let i = limbs - 1; i >= 0; i--) value = (value << 13n) + BigInt(sum[i]!);
  value %= (1n << 130n) - 5n;
  for (let i = 0; i < 16; i++) value += BigInt(s[i]!) << BigInt(8 * i);
  const tag = new Uint8Array(16);
  for (let i = 0; i < 16; i++) tag[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return tag;
}
