import { isUtf8 } from 'node:buffer';
import { isPrintable } from './go-printable.ts';
import { utf8 } from './json.ts';

const backslash = 0x5c;
const quote = 0x22;

/** ASCII that stands for itself in a Go string literal and in Go's JSON, which escapes `<`, `>` and `&` for HTML. */
const isPlain = new Uint8Array(256);
for (let byte = 0x20; byte < 0x7f; byte++) isPlain[byte] = 1;
for (const char of '"\\<>&') isPlain[char.charCodeAt(0)] = 0;

const shortEscapes: Record<number, string> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  [quote]: '\\"',
  [backslash]: '\\\\',
};

const htmlEscapes: Record<string, string> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** A JSON string as Go's encoding/json writes it. */
export function goString(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff || isPlain[code] === 0) return escapedGoString(text);
  }
  return `"${text}"`;
}

function escapedGoString(text: string): string {
  return goJson(text.toWellFormed());
}

/** JSON of a small value as Go writes it: members in the order of the object, HTML escaped. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (char) => htmlEscapes[char]!);
}

/** A JSON string of bytes that need not be UTF-8: Go writes an escape for each byte that fits nowhere. */
export function goStringOfBytes(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return goString(utf8(bytes));
  let json = '"';
  for (let at = 0; at < bytes.length; ) {
    const length = decodeRune(bytes, at)?.length;
    json += length === undefined ? '\\ufffd' : goString(utf8(bytes.subarray(at, at + length))).slice(1, -1);
    at += length ?? 1;
  }
  return `${json}"`;
}

/** A file name as it stands in a tree: first Go's strconv.Quote without the quotes, then a JSON string of that. */
export function goName(name: Uint8Array): string {
  for (let i = 0; i < name.length; i++) if (isPlain[name[i]!] === 0) return goString(goQuoted(name));
  return `"${bufferOf(name).toString('latin1')}"`;
}

/** The inner part of Go's strconv.Quote: bytes that are not UTF-8 and unprintable code points are escaped. */
export function goQuoted(bytes: Uint8Array): string {
  let quoted = '';
  for (let at = 0; at < bytes.length; ) {
    const rune = decodeRune(bytes, at);
    if (rune === undefined) {
      quoted += `\\x${hex(bytes[at]!, 2)}`;
      at++;
      continue;
    }
    quoted += quotedRune(rune.codePoint);
    at += rune.length;
  }
  return quoted;
}

function quotedRune(codePoint: number): string {
  const short = shortEscapes[codePoint];
  if (short !== undefined) return short;
  if (isPrintable(codePoint)) return String.fromCodePoint(codePoint);
  if (codePoint < 0x80) return `\\x${hex(codePoint, 2)}`;
  return codePoint < 0x10000 ? `\\u${hex(codePoint, 4)}` : `\\U${hex(codePoint, 8)}`;
}

/** One code point of strict UTF-8 (no surrogates, shortest form only), or undefined. */
function decodeRune(bytes: Uint8Array, at: number): { codePoint: number; length: number } | undefined {
  const first = bytes[at]!;
  if (first < 0x80) return { codePoint: first, length: 1 };
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return undefined;
  let codePoint = first & (0x7f >> length);
  for (let i = 1; i < length; i++) {
    const next = bytes[at + i]!;
    if ((next & 0xc0) !== 0x80) return undefined;
    codePoint = (codePoint << 6) | (next & 0x3f);
  }
  const isShortest = codePoint >= [0, 0, 0x80, 0x800, 0x10000][length]!;
  const isSurrogate = codePoint >= 0xd800 && codePoint < 0xe000;
  return isShortest && !isSurrogate && codePoint < 0x110000 ? { codePoint, length } : undefined;
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

const escapePattern =
  /\\(?:([abfnrtv\\"'])|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)/g;
const escapedBytes: Record<string, number> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** The bytes that `goQuoted` made text of. @throws RangeError for an escape that Go does not know */
export function goUnquoted(quoted: string): Uint8Array {
  if (!quoted.includes('\\')) return Buffer.from(quoted);
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const match of quoted.matchAll(escapePattern)) {
    parts.push(Buffer.from(quoted.slice(end, match.index)), unescaped(match));
    end = match.index + match[0].length;
  }
  parts.push(Buffer.from(quoted.slice(end)));
  return Buffer.concat(parts);
}

function unescaped([all, short, hexByte, octalByte, ...runes]: RegExpExecArray): Uint8Array {
  const rune = runes[0] ?? runes[1];
  if (short !== undefined) return Buffer.of(escapedBytes[short] ?? short.charCodeAt(0));
  if (hexByte !== undefined) return Buffer.of(Number.parseInt(hexByte, 16));
  if (octalByte !== undefined) return Buffer.of(Number.parseInt(octalByte, 8));
  const text = rune && String.fromCodePoint(Number.parseInt(rune, 16));
  if (text?.isWellFormed()) return Buffer.from(text);
  throw new RangeError(`unknown escape in a name: ${all}`);
}

/** A Buffer on the same bytes. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
