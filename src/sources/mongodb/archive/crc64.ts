/** CRC-64/XZ, which mongodump takes of a namespace's documents: polynomial 0xC96C5795D7870F42, reflected. */
export class Crc64 {
  /** As two halves: a big integer for each byte would be too slow. */
  #high = 0xffffffff;
  #low = 0xffffffff;

  add(bytes: Uint8Array): void {
    let [high, low] = [this.#high, this.#low];
    for (let i = 0; i < bytes.length; i++) {
      const index = (low ^ bytes[i]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ lows[index]!;
      high = (high >>> 8) ^ highs[index]!;
    }
    this.#high = high >>> 0;
    this.#low = low >>> 0;
  }

  /** Signed, as BSON's 64-bit integers are. */
  value(): bigint {
    const high = ~this.#high >>> 0;
    const low = ~this.#low >>> 0;
    return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  }
}

const highs = new Int32Array(256);
const lows = new Int32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ 0xc96c5795d7870f42n : value >> 1n;
  highs[byte] = Number(BigInt.asIntN(32, value >> 32n));
  lows[byte] = Number(BigInt.asIntN(32, value));
}
