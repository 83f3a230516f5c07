import assert from 'node:assert/strict';
import { type FileAttributes, type Place, type Posix, systemPosix } from '#base';
import { SourceError } from '../errors.ts';
import type { SourceProblem } from '../source.ts';
import { flushFileSystem } from './flush.ts';
import { HardLinks, type NamedFile } from './hard-links.ts';
import { MetadataWriter } from './metadata-writer.ts';
import { type ByteText, toByteText, toPrintable } from './names.ts';
import { OpenFiles } from './open-files.ts';
import type { OverwritePolicy } from './overwrite.ts';
import { RestoredFile } from './restored-file.ts';
import { TargetFile, type TargetFileHost } from './target-file.ts';
import { type NeededRoom, prepareTarget, type TargetState, targetError } from './target-room.ts';
import { isSafe, type Sight, TargetTree, targetPath } from './target-tree.ts';

export interface FolderTargetOptions {
  /** The folder that the snapshot's root becomes. */
  path: string;
  /**
   * Tells restores apart, for example the snapshot's id: unfinished files are found again by a later restore
   * with the same key, and by no other.
   */
  resumeKey: string;
  /** Default: 'if-changed'. */
  overwrite?: OverwritePolicy | undefined;
  /** Blocks of zeros become holes. */
  isSparse?: boolean | undefined;
  /** Sets owners and groups. Default: for root. */
  owners?: boolean | undefined;
  /** Called for everything that is not restored ('lost'), or not as it was ('odd'). */
  onProblem(problem: SourceProblem): void;
  posix?: Posix | undefined;
}

export interface TargetSummary {
  folders: number;
  /** Regular files that were written. */
  files: number;
  /** What looked the same already; only its metadata was set. */
  unchanged: number;
  /** What existed and by policy was not touched. */
  left: number;
  /** Further names of files. */
  links: number;
  /** Symlinks, device nodes, FIFOs. */
  others: number;
}

const openFilesMax = 256;

/**
 * Restores a snapshot's tree into a folder, with no way out of it: each folder is opened in the one above without
 * following links, and names that could lead elsewhere are refused.
 *
 * Order of calls: `begin`; folders before what is in them, files in any order and any number at once; `end`.
 * Paths are names from the snapshot's root down. Only `end` is asynchronous: a small file costs a few system calls.
 * What concerns one entry becomes a problem and the rest goes on; what concerns the whole target (no space,
 * read-only) is thrown as SourceError. A second restore after a crash completes the first.
 */
export class FolderTarget {
  readonly #options: FolderTargetOptions;
  readonly #posix: Posix;
  readonly #metadata: MetadataWriter;
  readonly #openFiles = new OpenFiles(openFilesMax);
  readonly #hardLinks = new HardLinks();
  /** Folders whose metadata `end` sets, upper ones first. */
  readonly #pendingFolders: NamedFile[] = [];
  readonly #summary: TargetSummary = { folders: 0, files: 0, unchanged: 0, left: 0, links: 0, others: 0 };
  /** What is there otherwise than the snapshot has it: left by policy, or failed and told. */
  readonly #notRestored = new Set<ByteText>();
  #begun: TargetFileHost | undefined;

  constructor(options: FolderTargetOptions) {
    this.#options = options;
    this.#posix = options.posix ?? systemPosix();
    const owners = options.owners ?? process.geteuid?.() === 0;
    this.#metadata = new MetadataWriter(this.#posix, { owners, onProblem: options.onProblem });
  }

  /** Makes or checks the target folder. @throws SourceError, see `prepareTarget` */
  begin(needed: NeededRoom = {}): TargetState {
    const { path, resumeKey, overwrite = 'if-changed', isSparse = false } = this.#options;
    const state = prepareTarget(path, needed);
    this.#begun = {
      posix: this.#posix,
      tree: new TargetTree(path, { posix: this.#posix, overwrite, resumeKey }),
      openFiles: this.#openFiles,
      metadata: this.#metadata,
      isSparse,
      attempt: (file, action) => this.#attempt(file, action),
      settled: (file, isRestored) => this.#settled(file, isRestored),
    };
    if (!this.#posix.capabilities.confined)
      this.#problem('', new Error('links that appear while the restore runs are not noticed here'), 'odd');
    return state;
  }

  /** Makes a folder, or takes the one that is there; `end` sets its metadata. @returns whether it can be filled */
  makeDirectory(names: readonly Uint8Array[], attributes: FileAttributes): boolean {
    return this.#attemptAt(names, (path) => {
      const sight = this.#tree.look(path, attributes);
      const { existing, decision, place } = sight;
      if (existing?.type === 'dir') {
        if (decision === 'leave') {
          this.#summary.left++;
          return;
        }
        // We must get into our own folder, whatever mode it is to have in the end.
        if ((existing.mode & 0o700) !== 0o700 && existing.uid === process.geteuid?.())
          this.#posix.setMode(place, existing.mode | 0o700);
      } else {
        if (decision === 'leave') throw new Error(`a ${existing?.type} is in the way`);
        if (existing) this.#tree.remove(path, sight);
        this.#tree.makeFolder(path, place);
      }
      this.#pendingFolders.push({ path, attributes });
    });
  }

  /**
   * Begins a regular file. Of a file with several names the first gets the content, the others become links.
   * @param how `overwrite`: for this file only, such as 'always' when one that looked the same turned out to differ
   * @returns undefined when there is nothing to write: left by policy, another name, or failed
   */
  openFile(
    names: readonly Uint8Array[],
    attributes: FileAttributes,
    how: { overwrite?: OverwritePolicy } = {},
  ): TargetFile | undefined {
    let file: TargetFile | undefined;
    this.#attemptAt(names, (path) => {
      if (this.#becomesLink({ path, attributes })) return;
      const sight = this.#tree.look(path, attributes, how.overwrite);
      const { existing } = sight;
      if (sight.decision === 'leave') this.#leaveAlone({ path, attributes }, sight);
      else if (sight.decision === 'keep')
        file = new TargetFile(this.#host, { path, attributes, existing, state: 'same', fd: undefined });
      else {
        if (existing?.type === 'dir') this.#tree.remove(path, sight);
        file = new TargetFile(this.#host, { path, attributes, existing, ...this.#tree.openPartial(path) });
      }
    });
    return file?.reserve() ? file : undefined;
  }

  /** Restores a symlink, a device node or a FIFO. A socket is nothing without its process, and passed over. */
  makeNode(names: readonly Uint8Array[], attributes: FileAttributes): void {
    if (attributes.type === 'socket') return;
    this.#attemptAt(names, (path) => {
      if (this.#becomesLink({ path, attributes })) return;
      const sight = this.#tree.look(path, attributes);
      if (sight.decision === 'leave') this.#leaveAlone({ path, attributes }, sight);
      else if (sight.decision === 'keep' && this.#isSameNode(sight, attributes)) {
        this.#metadata.apply(sight.place, path, attributes, sight.existing);
        this.#summary.unchanged++;
      } else {
        if (sight.existing) this.#tree.remove(path, sight);
        this.#createNode(sight.place, attributes);
        this.#metadata.apply(sight.place, path, attributes);
        this.#summary.others++;
      }
      this.#linkOthers({ path, attributes });
    });
  }

  /** Whether an entry was restored, or was there already; false for what was left by policy, or failed. */
  isRestored(names: readonly Uint8Array[]): boolean {
    return names.every(isSafe) && !this.#notRestored.has(targetPath(names));
  }

  /** Opens what was restored, to read it back; after `flush` and before `end`. @throws Error when it cannot be read */
  openRestored(names: readonly Uint8Array[]): RestoredFile {
    return new RestoredFile(this.#posix, this.#tree.placeOf(targetPath(names)));
  }

  /** Waits until all that was written is on the disk. */
  async flush(): Promise<void> {
    try {
      await flushFileSystem(this.#tree.openFolder(''));
    } catch (error) {
      this.#problem('', error as Error, 'odd');
    }
  }

  /**
   * Sets the metadata of the folders, deepest first, tells what could not be restored anywhere, and waits until all is
   * on the disk. Files that were begun and not finished stay partial.
   */
  async end(): Promise<TargetSummary> {
    for (const { path, attributes } of this.#pendingFolders.splice(0).reverse())
      this.#attempt(path, () => {
        this.#metadata.apply(this.#tree.openFolder(path), path, attributes);
        this.#summary.folders++;
      });
    this.#metadata.tellLosses();
    await this.flush();
    this.close();
    return this.#summary;
  }

  /** Gives the restore up, or ends the use after `end`. May be called twice. */
  close(): void {
    this.#openFiles.parkAll();
    this.#begun?.tree.close();
    this.#begun = undefined;
  }

  get #tree(): TargetTree {
    return this.#host.tree;
  }

  get #host(): TargetFileHost {
    assert(this.#begun, 'a target is used between begin and end');
    return this.#begun;
  }

  /** Whether this is another name of a file that was met before: then it is linked, now or when that file is whole. */
  #becomesLink(file: NamedFile): boolean {
    const first = this.#hardLinks.firstOf(file);
    if (first?.isRestored) this.#link(first, file);
    else first?.waiting.push(file);
    return first !== undefined;
  }

  #linkOthers(first: NamedFile): void {
    for (const other of this.#hardLinks.restored(first))
      this.#attempt(other.path, () => this.#link(first, other));
  }

  #link(first: NamedFile, other: NamedFile): void {
    const sight = this.#tree.look(other.path, other.attributes);
    const inode = sight.existing && this.#posix.stat(this.#tree.placeOf(first.path))?.inode;
    if (inode !== undefined && inode === sight.existing?.inode) this.#summary.unchanged++;
    else if (sight.decision === 'leave') this.#leaveAlone(other, sight);
    else {
      if (sight.existing) this.#tree.remove(other.path, sight);
      const existing = this.#tree.placeOf(first.path);
      this.#posix.makeLink(existing, this.#tree.placeOf(other.path));
      this.#summary.links++;
    }
  }

  #leaveAlone(file: NamedFile, { existing }: Sight): void {
    this.#summary.left++;
    this.#giveUp(file);
    if (existing?.type !== file.attributes.type)
      this.#problem(file.path, new Error(`a ${existing?.type} of this name was left as it is`), 'odd');
  }

  #isSameNode({ place, existing }: Sight, attributes: FileAttributes): boolean {
    if (attributes.type !== 'symlink') return existing?.device === attributes.device;
    return Buffer.compare(this.#posix.readLink(place), attributes.linkTarget ?? Buffer.alloc(0)) === 0;
  }

  #createNode(place: Place, { type, linkTarget, device }: FileAttributes): void {
    if (type === 'dev' || type === 'chardev' || type === 'fifo')
      this.#posix.makeSpecial(place, type, 0o600, device ?? 0n);
    else if (type === 'symlink' && linkTarget) this.#posix.makeSymlink(place, linkTarget);
    else throw new Error(`a ${type} cannot be made this way`);
  }

  #settled(file: TargetFile, isRestored: boolean): void {
    if (!isRestored) this.#giveUp(file.facts);
    else {
      this.#notRestored.delete(file.facts.path);
      if (file.state === 'same') this.#summary.unchanged++;
      else this.#summary.files++;
      this.#linkOthers(file.facts);
    }
  }

  #giveUp(file: NamedFile): void {
    this.#notRestored.add(file.path);
    for (const { path } of this.#hardLinks.notRestored(file)) {
      this.#notRestored.add(path);
      this.#problem(path, new Error('is another name of a file that was not restored'), 'lost');
    }
  }

  #attemptAt(names: readonly Uint8Array[], action: (path: ByteText) => void): boolean {
    let path: ByteText;
    try {
      path = targetPath(names);
    } catch (error) {
      this.#problem(names.map((name) => toByteText(name)).join('/'), error as Error, 'lost');
      return false;
    }
    return this.#attempt(path, () => action(path));
  }

  #attempt(path: ByteText, action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      if (error instanceof SourceError) throw error;
      const fatal = targetError(error, this.#options.path);
      if (fatal) throw fatal;
      this.#notRestored.add(path);
      this.#problem(path, error as Error, 'lost');
      return false;
    }
  }

  #problem(path: ByteText, error: Error, gravity: SourceProblem['gravity']): void {
    this.#options.onProblem({ path: toPrintable(`/${path}`), error, gravity });
  }
}
