import { isUtf8 } from 'node:buffer';

/** A name of a file is bytes. This is how it becomes text, for people and for patterns. */

const utf8LengthMax = 4;

/**
 * Bytes as text to match patterns against. Each byte that is not UTF-8 becomes a lone surrogate, U+DC80 to
 * U+DCFF, so that it counts as one character and equals nothing that a pattern can contain.
 */
export function patternTextOf(name: Uint8Array): string {
  return decode(name, (byte) => String.fromCharCode(0xdc00 + byte));
}

/** For people: bytes that are not UTF-8, and control characters, as `\xNN`. */
export function printableOf(name: Uint8Array): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name may hold a newline or an escape sequence
  return decode(name, asHex).replace(/[\x00-\x1f\x7f-\x9f]/g, (control) => asHex(control.charCodeAt(0)));
}

function asHex(code: number): string {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}

function decode(name: Uint8Array, foreign: (byte: number) => string): string {
  const bytes = Buffer.from(name.buffer, name.byteOffset, name.byteLength);
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
