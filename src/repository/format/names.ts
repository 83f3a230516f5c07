import type { IndexId, KeyId, LockId, PackId, SnapshotId } from './ids.ts';
import { isId } from './ids.ts';

/** Folders of a repository and the ids by which their files go (restic design.rst, Repository Layout). */
export interface FileIds {
  data: PackId;
  index: IndexId;
  snapshots: SnapshotId;
  locks: LockId;
  keys: KeyId;
}
export type FileKind = keyof FileIds;

/** The one file without an id. */
export const configName = 'config';

/** The name of a file in the storage. Packs are spread over 256 folders. */
export function nameOf<Kind extends FileKind>(kind: Kind, id: FileIds[Kind]): string {
  return kind === 'data' ? `data/${id.slice(0, 2)}/${id}` : `${kind}/${id}`;
}

/** The id of a listed file, or undefined for what does not belong there (temporary files …). */
export function idOfName<Kind extends FileKind>(kind: Kind, name: string): FileIds[Kind] | undefined {
  const id = name.slice(name.lastIndexOf('/') + 1);
  return isId(id) && name === nameOf(kind, id as FileIds[Kind]) ? (id as FileIds[Kind]) : undefined;
}
