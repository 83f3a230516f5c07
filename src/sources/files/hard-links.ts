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

  /**
   * Notes that a name was not restored: the next one that is met becomes the first.
   * @returns the names that waited for it in vain
   */
  notRestored({ path, attributes }: NamedFile): NamedFile[] {
    const key = keyOf(attributes);
    const first = this.#files.get(key);
    if (first?.path !== path) return [];
    this.#files.delete(key);
    return first.waiting;
  }
}

function keyOf({ deviceId, inode }: FileAttributes): string {
  return `${deviceId}:${inode}`;
}

function isSameFile(a: FileAttributes, b: FileAttributes): boolean {
  return a.type === b.type && a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs;
}
