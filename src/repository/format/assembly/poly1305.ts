// AssemblyScript: Poly1305 (RFC 8439, 2.5) with numbers of 130 bits as five limbs of 26.
// Memory: [1024, 1056) the one-time key r || s, [1056, 1072) the tag; whole blocks of a message from 4 KiB up.
const KEY: usize = 1024;
const TAG: usize = 1056;
const MESSAGE: usize = 4096;
const LIMB: u64 = (1 << 26) - 1;

// r, and r² for taking two blocks at a time.
let r0: u64 = 0, r1: u64 = 0, r2: u64 = 0, r3: u64 = 0, r4: u64 = 0;
let q0: u64 = 0, q1: u64 = 0, q2: u64 = 0, q3: u64 = 0, q4: u64 = 0;
let h0: u64 = 0, h1: u64 = 0, h2: u64 = 0, h3: u64 = 0, h4: u64 = 0;

/** Takes the key that lies in memory, for one message. */
export function begin(): void {
  const low = load<u64>(KEY) & 0x0ffffffc0fffffff;
  const high = load<u64>(KEY + 8) & 0x0ffffffc0ffffffc;
  r0 = low & LIMB;
  r1 = (low >> 26) & LIMB;
  r2 = ((low >> 52) | (high << 12)) & LIMB;
  r3 = (high >> 14) & LIMB;
  r4 = high >> 40;
  h0 = r0; h1 = r1; h2 = r2; h3 = r3; h4 = r4;
  multiply();
  q0 = h0; q1 = h1; q2 = h2; q3 = h3; q4 = h4;
  h0 = 0; h1 = 0; h2 = 0; h3 = 0; h4 = 0;
}

/** h = h · r mod 2^130 − 5: what passes the top limb comes back five times at the bottom. */
function multiply(): void {
  const s1 = r1 * 5, s2 = r2 * 5, s3 = r3 * 5, s4 = r4 * 5;
  carry(
    h0 * r0 + h1 * s4 + h2 * s3 + h3 * s2 + h4 * s1,
    h0 * r1 + h1 * r0 + h2 * s4 + h3 * s3 + h4 * s2,
    h0 * r2 + h1 * r1 + h2 * r0 + h3 * s4 + h4 * s3,
    h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s4,
    h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0,
  );
}

// @ts-ignore: decorator of AssemblyScript
@inline
function carry(d0: u64, d1: u64, d2: u64, d3: u64, d4: u64): void {
  d1 += d0 >> 26;
  d2 += d1 >> 26;
  d3 += d2 >> 26;
  d4 += d3 >> 26;
  const over = (d0 & LIMB) + (d4 >> 26) * 5;
  h0 = over & LIMB;
  h1 = (d1 & LIMB) + (over >> 26);
  h2 = d2 & LIMB;
  h3 = d3 & LIMB;
  h4 = d4 & LIMB;
}

/**
 * Takes `length` bytes of the message, whole blocks of 16.
 * @param top 1, or 0 for a last block that is shorter and carries its final 1 itself
 */
export function absorb(length: usize, top: u64): void {
  let at = MESSAGE;
  const end = at + length;
  const bit = top << 24;
  if (length & 16) {
    addBlock(at, bit);
    multiply();
    at += 16;
  }
  for (; at < end; at += 32) {
    addBlock(at, bit);
    multiplyTwo(at + 16, bit);
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function addBlock(at: usize, bit: u64): void {
  const low = load<u64>(at);
  const high = load<u64>(at + 8);
  h0 += low & LIMB;
  h1 += (low >> 26) & LIMB;
  h2 += ((low >> 52) | (high << 12)) & LIMB;
  h3 += (high >> 14) & LIMB;
  h4 += (high >> 40) | bit;
}

/** h = h · r² + block · r: the sum of two products is carried once. */
// @ts-ignore: decorator of AssemblyScript
@inline
function multiplyTwo(at: usize, bit: u64): void {
  const low = load<u64>(at);
  const high = load<u64>(at + 8);
  const m0 = low & LIMB;
  const m1 = (low >> 26) & LIMB;
  const m2 = ((low >> 52) | (high << 12)) & LIMB;
  const m3 = (high >> 14) & LIMB;
  const m4 = (high >> 40) | bit;
  const s1 = r1 * 5, s2 = r2 * 5, s3 = r3 * 5, s4 = r4 * 5;
  const t1 = q1 * 5, t2 = q2 * 5, t3 = q3 * 5, t4 = q4 * 5;
  carry(
    h0 * q0 + h1 * t4 + h2 * t3 + h3 * t2 + h4 * t1 + m0 * r0 + m1 * s4 + m2 * s3 + m3 * s2 + m4 * s1,
    h0 * q1 + h1 * q0 + h2 * t4 + h3 * t3 + h4 * t2 + m0 * r1 + m1 * r0 + m2 * s4 + m3 * s3 + m4 * s2,
    h0 * q2 + h1 * q1 + h2 * q0 + h3 * t4 + h4 * t3 + m0 * r2 + m1 * r1 + m2 * r0 + m3 * s4 + m4 * s3,
    h0 * q3 + h1 * q2 + h2 * q1 + h3 * q0 + h4 * t4 + m0 * r3 + m1 * r2 + m2 * r1 + m3 * r0 + m4 * s4,
    h0 * q4 + h1 * q3 + h2 * q2 + h3 * q1 + h4 * q0 + m0 * r4 + m1 * r3 + m2 * r2 + m3 * r1 + m4 * r0,
  );
}

/** Writes the tag: (h mod 2^130 − 5) + s mod 2^128. */
export function finish(): void {
  // The last product left h1 a little above 26 bits.
  carry(h0, h1, h2, h3, h4);
  // h − p, which is h + 5 − 2^130, counts when it is not negative.
  const g0 = h0 + 5;
  const g1 = h1 + (g0 >> 26);
  const g2 = h2 + (g1 >> 26);
  const g3 = h3 + (g2 >> 26);
  const g4 = h4 + (g3 >> 26);
  if (g4 >> 26) {
    h0 = g0 & LIMB;
    h1 = g1 & LIMB;
    h2 = g2 & LIMB;
    h3 = g3 & LIMB;
    h4 = g4 & LIMB;
  }
  const low = h0 | (h1 << 26) | (h2 << 52);
  const high = (h2 >> 12) | (h3 << 14) | (h4 << 40);
  const sum = low + load<u64>(KEY + 16);
  store<u64>(TAG, sum);
  store<u64>(TAG + 8, high + load<u64>(KEY + 24) + u64(sum < low));
}
