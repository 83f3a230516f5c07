import type { Random } from '#base';

/** A polynomial over GF(2): bit i is the coefficient of x^i. */
export type Polynomial = bigint;

/** The degree of every polynomial that the chunker uses. */
export const polynomialDegree = 53;

/** Degree of a polynomial; -1 for zero. */
export function degreeOf(a: Polynomial): number {
  if (a === 0n) return -1;
  const hex = a.toString(16);
  return hex.length * 4 - 1 - (Math.clz32(Number.parseInt(hex[0]!, 16)) - 28);
}

/** Remainder of a divided by b. */
function modulo(a: Polynomial, b: Polynomial): Polynomial {
  const degree = degreeOf(b);
  let rest = a;
  for (let excess = degreeOf(rest) - degree; excess >= 0; excess = degreeOf(rest) - degree)
    rest ^= b << BigInt(excess);
  return rest;
}

/** a · b mod p. */
function multiplyModulo(a: Polynomial, b: Polynomial, p: Polynomial): Polynomial {
  const degree = BigInt(degreeOf(p));
  let product = 0n;
  let shifted = modulo(a, p);
  for (let rest = b; rest > 0n; rest >>= 1n) {
    if (rest & 1n) product ^= shifted;
    shifted = shiftModulo(shifted, p, degree);
  }
  return product;
}

/** a · x mod p, where a is of lower degree than p. */
function shiftModulo(a: Polynomial, p: Polynomial, degree: bigint): Polynomial {
  const shifted = a << 1n;
  return shifted >> degree === 0n ? shifted : shifted ^ p;
}

/** Greatest common divisor. */
function greatestCommonDivisor(a: Polynomial, b: Polynomial): Polynomial {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, modulo(x, y)];
  return x;
}

/** Of the repositories that this process opens again and again. */
const proven = new Set<Polynomial>();
const provenMax = 64;

/** Whether it has no factors. */
export function isIrreducible(p: Polynomial): boolean {
  if (proven.has(p)) return true;
  if (!passesBenOr(p)) return false;
  if (proven.size >= provenMax) proven.clear();
  proven.add(p);
  return true;
}

/** Ben-Or's test: p has no factor of degree i exactly when gcd(p, x^(2^i) − x) = 1, for every i up to half its degree. */
function passesBenOr(p: Polynomial): boolean {
  const degree = degreeOf(p);
  if (degree < 1) return false;
  let power = modulo(2n, p);
  for (let i = 1; i <= degree >> 1; i++) {
    power = multiplyModulo(power, power, p);
    if (greatestCommonDivisor(p, power ^ modulo(2n, p)) !== 1n) return false;
  }
  return true;
}

/** A random irreducible polynomial of degree 53. About one candidate in 27 is irreducible. */
export function randomPolynomial(random: Random): Polynomial {
  for (;;) {
    const bytes = random.fill(new Uint8Array(8));
    const bits = new DataView(bytes.buffer).getBigUint64(0) & ((1n << 54n) - 1n);
    const candidate = bits | (1n << 53n) | 1n;
    if (isIrreducible(candidate)) return candidate;
  }
}

/**
 * Tables for sliding a 64-byte window (restic/chunker): entry b of the first 256 takes the leaving byte b out,
 * entry b of the second 256 reduces a digest whose bits from 53 up are b. Both are linear: the entry of a byte is
 * the sum of the entries of its bits.
 */
export function chunkerTables(p: Polynomial): BigUint64Array {
  const windowBytes = 64;
  const degree = BigInt(degreeOf(p));
  const tables = new BigUint64Array(512);
  let out = modulo(1n, p);
  for (let i = 0; i < (windowBytes - 1) * 8; i++) out = shiftModulo(out, p, degree);
  for (let bit = 1; bit < 256; bit *= 2) {
    const top = BigInt(bit) << degree;
    tables[bit] = out;
    tables[256 + bit] = modulo(top, p) | top;
    for (let lower = 1; lower < bit; lower++) {
      tables[bit + lower] = out ^ tables[lower]!;
      tables[256 + bit + lower] = tables[256 + bit]! ^ tables[256 + lower]!;
    }
    out = shiftModulo(out, p, degree);
  }
  return tables;
}
