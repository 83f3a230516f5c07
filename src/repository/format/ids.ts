import { hash } from 'node:crypto';
import { RepositoryError } from '../errors.ts';

/** Hex SHA-256 of a blob's plain bytes. A folder's tree has one too. */
export type BlobId = string & { readonly __brand: 'BlobId' };
/** Hex SHA-256 of a whole pack file. */
export type PackId = string & { readonly __brand: 'PackId' };
/** Hex SHA-256 of a stored index, snapshot, lock or key file: its name. */
export type IndexId = string & { readonly __brand: 'IndexId' };
export type SnapshotId = string & { readonly __brand: 'SnapshotId' };
export type LockId = string & { readonly __brand: 'LockId' };
export type KeyId = string & { readonly __brand: 'KeyId' };

export type AnyId = BlobId | PackId | IndexId | SnapshotId | LockId | KeyId;

/** Whether the text has the form of an id: 64 lower-case hex digits. */
export function isId(text: unknown): text is AnyId {
  return typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
}

/** The id of these bytes: blob ids of plain bytes, file ids of stored bytes. */
export function idOf<Id extends AnyId>(bytes: Uint8Array): Id {
  return hash('sha256', bytes, 'hex') as Id;
}

/** An id read from a file. @throws RepositoryError 'repository.damaged' when the text is no id */
export function parseId<Id extends AnyId>(text: unknown, where: string): Id {
  if (isId(text)) return text as Id;
  throw new RepositoryError('repository.damaged', `${where} holds no id where one must be`, {
    hint: 'Run `holdfast check` to see what else is damaged.',
    context: { where, found: String(text).slice(0, 80) },
  });
}
