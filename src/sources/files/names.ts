import { isUtf8 } from 'node:buffer';

/**
 * Inside this folder a name, or a path of names joined by `/`, is *byte text*: a string in which each character
 * is one byte (latin1). It sorts, splits and compares as the bytes do, and costs no more than they would.
 */
export type ByteText = string;

export function toByteText(bytes: Uint8Array | string): ByteText {
  return (typeof bytes === 'string' ? Buffer.from(bytes) : asBuffer(bytes)).toString('latin1');
}

export function fromByteText(text: ByteText): Buffer {
  return Buffer.from(text, 'latin1');
}

/** A path's upper path: `a/b` of `a/b/c`, and nothing of `a`. */
export function upperPath(path: ByteText): ByteText {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function lastName(path: ByteText): ByteText {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * A name as text to match patterns against. Each byte that is not UTF-8 becomes a lone surrogate, U+DC80 to
 * U+DCFF, so that it counts as one character and equals nothing that a pattern can contain.
 */
export function toPatternText(name: ByteText): string {
  return decode(name, (byte) => String.fromCharCode(0xdc00 + byte));
}

/** For people: bytes that are not UTF-8, and control characters, as `\xNN`. */
export function toPrintable(path: ByteText): string {
  const asHex = (code: number) => `\\x${code.toString(16).padStart(2, '0')}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name may hold a newline or an escape sequence
  return decode(path, asHex).replace(/[\x00-\x1f\x7f-\x9f]/g, (control) => asHex(control.charCodeAt(0)));
}

const notAscii = /[\x80-\xff]/;
const utf8LengthMax = 4;

function decode(text: ByteText, foreign: (byte: number) => string): string {
  if (!notAscii.test(text)) return text;
  const bytes = fromByteText(text);
  if (isUtf8(bytes)) return bytes.toString();
  let result = '';
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes, i);
    result += length ? bytes.toString('utf8', i, i + length) : foreign(bytes[i]!);
    i += length || 1;
  }
  return result;
}

/** Length in bytes of the UTF-8 character at `start`; 0 when there is none. */
function characterLength(bytes: Buffer, start: number): number {
  for (let length = 1; length <= utf8LengthMax && start + length <= bytes.length; length++)
    if (isUtf8(bytes.subarray(start, start + length))) return length;
  return 0;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
