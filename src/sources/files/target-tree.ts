import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileAttributes, type Place, type Posix, systemCodeOf } from '#base';
import { FolderHandles } from './folder-handles.ts';
import { type ByteText, fromByteText, lastName, toByteText, upperPath } from './names.ts';
import { type Decision, decideOverwrite, type OverwritePolicy } from './overwrite.ts';

export interface TargetTreeOptions {
  posix: Posix;
  overwrite: OverwritePolicy;
  resumeKey: string;
}

/** A place in the target and what is there. */
export interface Sight {
  place: Place;
  existing: FileAttributes | undefined;
  decision: Decision;
}

const { O_RDWR, O_CREAT, O_EXCL, O_NONBLOCK } = constants;
/** Times that were set through node:fs agree to the microsecond. */
const roughTimesNs = 2000n;

/** The folders below a restore's target: turns paths into places, without a way out, and looks at what is there. */
export class TargetTree {
  readonly #posix: Posix;
  readonly #options: TargetTreeOptions;
  readonly #folders: FolderHandles;
  /** Made by this restore, so that what is in them need not be looked for. */
  readonly #newFolders = new Set<ByteText>();

  constructor(root: string, options: TargetTreeOptions) {
    this.#posix = options.posix;
    this.#options = options;
    this.#folders = new FolderHandles(options.posix, options.posix.openFolder(root, { follow: true }));
  }

  /** A descriptor of the folder that stays open for the next call too. @throws when a link or file is in the way */
  openFolder(path: ByteText): number {
    return this.#folders.open(path);
  }

  placeOf(path: ByteText): Place {
    return { folder: this.#folders.open(upperPath(path)), name: fromByteText(lastName(path)) };
  }

  /** Where something is to be restored, what is there, and what the policy says to it. */
  look(path: ByteText, wanted: FileAttributes, policy: OverwritePolicy = this.#options.overwrite): Sight {
    const place = this.placeOf(path);
    const existing = this.#newFolders.has(upperPath(path)) ? undefined : this.#posix.stat(place);
    const toleranceNs = this.#posix.capabilities.exactTimes ? 0n : roughTimesNs;
    return { place, existing, decision: decideOverwrite({ policy, existing, wanted, toleranceNs }) };
  }

  makeFolder(path: ByteText, place: Place): void {
    // Closed to others until the restore sets the mode.
    this.#posix.makeFolder(place, 0o700);
    this.#newFolders.add(path);
  }

  isEmptyFolder(path: ByteText): boolean {
    return this.#posix.listNames(this.#folders.open(path)).length === 0;
  }

  /** Removes what another type of file is to replace. @throws 'ENOTEMPTY' for a folder that is not empty */
  remove(path: ByteText, { place, existing }: Sight): void {
    const folder = existing?.type === 'dir';
    this.#posix.remove(place, { folder });
    if (folder) this.#folders.forget(path);
  }

  /** The name of a file until it is complete; no other file of this or another snapshot gets the same. */
  partialNameOf(path: ByteText): ByteText {
    return `.holdfast-${hash('sha256', `${this.#options.resumeKey}\0${path}`).slice(0, 32)}`;
  }

  /** Opens the partial file of an interrupted restore, or a new one. */
  openPartial(path: ByteText): { fd: number; state: 'new' | 'partial' } {
    const place = { ...this.placeOf(path), name: fromByteText(this.partialNameOf(path)) };
    for (;;) {
      try {
        return { fd: this.#posix.openFile(place, O_RDWR | O_CREAT | O_EXCL), state: 'new' };
      } catch (error) {
        if (systemCodeOf(error) !== 'EEXIST') throw error;
      }
      const fd = this.#openOwn(place);
      if (fd !== undefined) return { fd, state: 'partial' };
      this.#posix.remove(place);
    }
  }

  close(): void {
    this.#folders.close();
  }

  /** A planted file is not written to: it must be ours alone, without a second name elsewhere. */
  #openOwn(place: Place): number | undefined {
    const before = this.#posix.stat(place);
    if (before?.type !== 'file') return undefined;
    const fd = this.#posix.openFile(place, O_RDWR | O_NONBLOCK);
    const found = this.#posix.stat(fd);
    if (found?.type === 'file' && found.links === 1 && found.uid === process.geteuid?.()) return fd;
    this.#posix.close(fd);
    return undefined;
  }
}

/**
 * Names from the snapshot's root down as a path.
 * @throws Error for a name that could lead elsewhere: snapshots are input, and may have been made by an enemy
 */
export function targetPath(names: readonly Uint8Array[]): ByteText {
  if (names.length === 0) throw new Error('refused: the root itself is not an entry');
  let path = '';
  for (const bytes of names) {
    const name = toByteText(bytes);
    if (!isSafe(bytes)) throw new Error(`refused: ${JSON.stringify(name)} is not a name of a file`);
    path += path === '' ? name : `/${name}`;
  }
  return path;
}

/** Whether a name leads nowhere but to what is called so. */
export function isSafe(bytes: Uint8Array): boolean {
  const name = toByteText(bytes);
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}
