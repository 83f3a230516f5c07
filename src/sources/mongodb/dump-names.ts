import { createHash } from 'node:crypto';

/** mongodump's limit, so that the longest ending still fits into a file name of 255 bytes. */
const stemLengthMax = 238;
const keptLength = 208;

/**
 * The file name of a collection without its ending, as mongodump 100.x makes it: percent-encoded, a space as `+`, and
 * of what is too long the beginning, `%24` and a hash of the whole name.
 */
export function dumpStemOf(collection: string): string {
  const escaped = escapeName(collection);
  if (escaped.length <= stemLengthMax) return escaped;
  const hash = createHash('sha1').update(collection).digest('base64url');
  return `${escaped.slice(0, keptLength)}%24${hash}`;
}

/** Whether mongorestore 100.18 would bring a name back as another one, or stop: it unescapes truncated names once more. */
export function isBeyondMongorestore(collection: string): boolean {
  return escapeName(collection).length > stemLengthMax && /[+%]/.test(collection);
}

/** Whether a database may be a folder of its own name. mongodump refuses the same ones. */
export function isDatabaseName(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= 63 && !/[/\\. "\0$]/.test(name);
}

function escapeName(name: string): string {
  return encodeURIComponent(name.toWellFormed())
    .replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
