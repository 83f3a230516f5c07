import type { Clock, Random } from '#base';

/** A UUID of version 7 (RFC 9562): 48 bits of time, then chance; they sort by their age to the millisecond. */
export function newId(clock: Clock, random: Random): string {
  const bytes = random.fill(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  const nowMs = clock.nowMs();
  view.setUint32(0, Math.floor(nowMs / 0x10000));
  view.setUint16(4, nowMs % 0x10000);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const text = Buffer.from(bytes).toString('hex');
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
