import { messageOf } from '#base';
import { RepositoryError } from '../errors.ts';

/** Parses JSON that came from a repository. @throws RepositoryError 'repository.damaged' */
export function parseJson(json: Uint8Array | string, what: string): unknown {
  try {
    return JSON.parse(typeof json === 'string' ? json : utf8(json));
  } catch (cause) {
    throw malformed(what, messageOf(cause), cause);
  }
}

/** Bytes as text; invalid UTF-8 becomes U+FFFD, as in Go. */
export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member that must be an object. */
export function recordOf(value: unknown, what: string): Record<string, unknown> {
  if (isRecord(value)) return value;
  throw malformed(what, 'an object is missing');
}

/** A member that may be absent or null (Go writes null for an empty list) and else is a list of texts. */
export function textsOf(value: unknown, what: string): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw malformed(what, 'a list of texts is missing');
}

/** A member that may be absent and else is text. */
export function textOf(value: unknown, what: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw malformed(what, 'a text is missing');
}

/** A member that may be absent and else is a whole number from 0. */
export function countOf(value: unknown, what: string): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw malformed(what, 'a number is missing');
}

/** The error for a file whose JSON is not what it must be. */
export function malformed(what: string, why: string, cause?: unknown): RepositoryError {
  return new RepositoryError('repository.damaged', `cannot parse ${what}: ${why}`, {
    hint: 'Run `holdfast check` to see what else is damaged.',
    cause,
  });
}
