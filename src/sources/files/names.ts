import { patternTextOf, printableOf } from '#base';

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

const notAscii = /[\x80-\xff]/;

/** A name as text to match patterns against; see `patternTextOf`. */
export function toPatternText(name: ByteText): string {
  return notAscii.test(name) ? patternTextOf(fromByteText(name)) : name;
}

/**
 * Each character by itself in lower case, so that a pattern and a name become the same whatever stands beside it:
 * JavaScript alone makes two different letters of Σ, and two characters of İ.
 */
export function toLowerText(text: string): string {
  return notAsciiText.test(text)
    ? text.replace(/./gsu, (one) => firstOf(one.toLowerCase()))
    : text.toLowerCase();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const notAsciiText = /[^\x00-\x7f]/;

function firstOf(text: string): string {
  return String.fromCodePoint(text.codePointAt(0)!);
}

/** For people: bytes that are not UTF-8, and control characters, as `\xNN`. */
export function toPrintable(path: ByteText): string {
  return printableOf(fromByteText(path));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
