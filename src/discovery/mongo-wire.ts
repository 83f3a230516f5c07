type Value = string | number | boolean;

const opReply = 1;
const opQuery = 2004;
const opMsg = 2013;

/** The first message to a server of any age: `isMaster` as OP_QUERY (MongoDB wire protocol). */
export const legacyHandshake = message(opQuery, [
  int32(0),
  cstring('admin.$cmd'),
  int32(0),
  int32(-1),
  bson({ isMaster: 1 }),
]);

/** A command as OP_MSG. */
export function commandMessage(name: string): Buffer {
  return message(opMsg, [int32(0), Buffer.from([0]), bson({ [name]: 1, $db: 'admin' })]);
}

/** Members of a reply that are texts, numbers or booleans; undefined: it is no reply. */
export function readReply(bytes: Buffer): Record<string, Value> | undefined {
  if (bytes.length < 36 || bytes.readInt32LE(0) !== bytes.length) return undefined;
  const code = bytes.readInt32LE(12);
  if (code === opReply) return readBson(bytes.subarray(36));
  return code === opMsg ? readBson(bytes.subarray(21)) : undefined;
}

function message(code: number, parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(16 + body.length), int32(1), int32(0), int32(code), body]);
}

function bson(members: Record<string, number | string>): Buffer {
  const parts = Object.entries(members).map(([name, value]) =>
    typeof value === 'number'
      ? Buffer.concat([Buffer.from([0x10]), cstring(name), int32(value)])
      : Buffer.concat([
          Buffer.from([0x02]),
          cstring(name),
          int32(Buffer.byteLength(value) + 1),
          cstring(value),
        ]),
  );
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(body.length + 5), body, Buffer.from([0])]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** Sizes of BSON's types; the length of the others is written before them. */
const fixedBytes: Record<number, number> = { 1: 8, 7: 12, 8: 1, 9: 8, 10: 0, 16: 4, 17: 8, 18: 8, 19: 16 };

/** @throws RangeError when the bytes end too early */
function readBson(bytes: Buffer): Record<string, Value> {
  const found: Record<string, Value> = {};
  for (let at = 4; bytes[at] !== 0; ) {
    const type = bytes.readUInt8(at);
    const end = bytes.indexOf(0, at + 1);
    if (end < 0) throw new RangeError('a name without an end');
    const name = bytes.subarray(at + 1, end).toString();
    const value = end + 1;
    if (type === 1) found[name] = bytes.readDoubleLE(value);
    else if (type === 2)
      found[name] = bytes.toString('utf8', value + 4, value + 3 + bytes.readInt32LE(value));
    else if (type === 8) found[name] = bytes.readUInt8(value) === 1;
    else if (type === 16) found[name] = bytes.readInt32LE(value);
    const size = fixedBytes[type] ?? sizeOf(type, bytes.readInt32LE(value));
    if (size === undefined || size < 0) break;
    at = value + size;
  }
  return found;
}

function sizeOf(type: number, length: number): number | undefined {
  if (type === 2) return 4 + length;
  if (type === 3 || type === 4) return length;
  return type === 5 ? 5 + length : undefined;
}
