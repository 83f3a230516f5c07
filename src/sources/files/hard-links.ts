import type { FileAttributes } from '#base';
import type { ByteText } from './names.ts';

/** A file of the snapshot by one of its names. */
export interface NamedFile {
  path: ByteText;
  attributes: FileAttributes;
}

/** One file with several names: the first that was met gets the content, the others become links to it. */
interface LinkedFile extends NamedFile {
  isRestored: boolean;
  /** Names that were met before the content was restored. */
  waiting: NamedFile[];
}

/** Which names of a snapshot are one file, by inode and device. */
export class HardLinks {
  readonly #files = new Map<string, LinkedFile>();
  /** Names whose first name was not restored after they had come to wait for it. */
  readonly orphans: NamedFile[] = [];

  /** The file that this is another name of; undefined when it must be restored itself. */
  firstOf(file: NamedFile): LinkedFile | undefined {
    const { links, inode } = file.attributes;
    if (links < 2 || inode === 0n) return undefined;
    const key = keyOf(file.attributes);
    const first = this.#files.get(key);
    if (!first) this.#files.set(key, { ...file, isRestored: false, waiting: [] });
    // An inode may have been used again while the backup ran: then size or time differ.
    return first && first.path !== file.path && isSameFile(first.attributes, file.attributes)
      ? first
      : undefined;
  }

  /** Notes that a first name is in place. @returns the names that waited for it */
  restored({ path, attributes }: NamedFile): NamedFile[] {
    const first = this.#files.get(keyOf(attributes));
    if (first?.path !== path) return [];
    first.isRestored = true;
    return first.waiting.splice(0);
  }

  /** Notes that a name was not restored: the next one that is met becomes the first. */
  notRestored({ path, attributes }: NamedFile): void {
    const key = keyOf(attributes);
    const first = this.#files.get(key);
    if (first?.path !== path) return;
    this.orphans.push(...first.waiting);
    this.#files.delete(key);
  }
}

function keyOf({ deviceId, inode }: FileAttributes): string {
  return `${deviceId}:${inode}`;
}

function isSameFile(a: FileAttributes, b: FileAttributes): boolean {
  return a.type === b.type && a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs;
}
