import assert from 'node:assert/strict';
import { constants, ftruncateSync, writeSync } from 'node:fs';
import type { FileAttributes, Place, Posix } from '#base';
import type { MetadataWriter } from './metadata-writer.ts';
import { type ByteText, fromByteText } from './names.ts';
import type { OpenFiles, Parkable } from './open-files.ts';
import { readFully } from './restored-file.ts';
import type { TargetTree } from './target-tree.ts';
import { dataRanges } from './zero-runs.ts';

const { O_RDWR, O_NONBLOCK } = constants;
/** Smaller files are written at once: that there is no room shows early enough without reserving it. */
const reserveFromBytes = 256 * 1024;
const zeros = Buffer.alloc(64 * 1024);

/**
 * How the content of a file begins. *new*: empty; *partial*: what an earlier, interrupted restore of the same
 * snapshot wrote, with gaps; *same*: the finished file looks like the wanted one, and needs no bytes.
 */
export type TargetFileState = 'new' | 'partial' | 'same';

/** What a file needs from its `FolderTarget`. */
export interface TargetFileHost {
  posix: Posix;
  tree: TargetTree;
  openFiles: OpenFiles;
  metadata: MetadataWriter;
  isSparse: boolean;
  /** Runs an action; an error becomes this entry's problem, or is thrown when it concerns the whole target. */
  attempt(path: ByteText, action: () => void): boolean;
  /** The file is in its place, or given up. */
  settled(file: TargetFile, isRestored: boolean): void;
}

export interface TargetFileFacts {
  path: ByteText;
  attributes: FileAttributes;
  state: TargetFileState;
  /** What is there already, if anything. */
  existing: FileAttributes | undefined;
  /** Open for reading and writing; undefined in state *same*. */
  fd: number | undefined;
}

/**
 * A regular file that is being restored. Until `finish` it has another name, so that a half-written file is never
 * taken for a whole one. Its descriptor may be closed and opened again between calls, so any number can be begun.
 * Errors of this file are told as problems and make further calls do nothing; those of the target are thrown.
 */
export class TargetFile implements Parkable {
  readonly facts: TargetFileFacts;
  readonly #host: TargetFileHost;
  #fd: number | undefined;
  /** Inode of the partial file while it is parked. */
  #inode: bigint | undefined;
  #rightBytes = 0;
  #isSettled = false;

  constructor(host: TargetFileHost, facts: TargetFileFacts) {
    this.#host = host;
    this.facts = facts;
    this.#fd = facts.fd;
    if (this.#fd !== undefined) host.openFiles.use(this);
  }

  get state(): TargetFileState {
    return this.facts.state;
  }

  /** Reserves room for all of the content, so that a full disk shows now. @returns false when the file failed */
  reserve(): boolean {
    const { sizeBytes } = this.facts.attributes;
    if (this.state === 'same' || this.#host.isSparse || sizeBytes < reserveFromBytes) return true;
    return this.#attempt(() => this.#host.posix.allocate(this.#open(), sizeBytes));
  }

  /** Bytes of a partial file at `offset`, fewer than asked for where it ends; to find out what is right already. */
  read(offset: number, length: number): Uint8Array {
    let bytes: Uint8Array = new Uint8Array(0);
    this.#attempt(() => {
      bytes = readFully(this.#open(), offset, length);
    });
    return bytes;
  }

  /** Notes that `length` bytes of an earlier restore are right, so that they need not be written. */
  keep(length: number): void {
    this.#rightBytes += length;
  }

  /** Writes at `offset`, in any order, each byte of the file once. */
  write(offset: number, bytes: Uint8Array): void {
    assert(this.state !== 'same', 'a file that looks the same is not written');
    assert(offset + bytes.length <= this.facts.attributes.sizeBytes, 'write past the end of the file');
    this.#attempt(() => {
      if (this.#host.isSparse) this.#writeSparse(offset, bytes);
      else writeFully(this.#open(), bytes, offset);
      this.#rightBytes += bytes.length;
    });
  }

  /** Sets size and metadata and gives the file its name. @returns whether it is restored; if not, a problem says why */
  finish(): boolean {
    const isRestored = this.#attempt(() => {
      if (this.state === 'same') this.#finishSame();
      else this.#finishWritten();
    });
    this.#settle(isRestored);
    return isRestored;
  }

  /** Gives the file up; what is written stays under its partial name for a later restore. The caller tells why. */
  abandon(): void {
    this.#settle(false);
  }

  park(): void {
    if (this.#fd === undefined) return;
    this.#inode = this.#host.posix.stat(this.#fd)?.inode;
    this.#host.posix.close(this.#fd);
    this.#fd = undefined;
  }

  #finishWritten(): void {
    const { attributes, path } = this.facts;
    if (this.#rightBytes !== attributes.sizeBytes)
      throw new Error(`incomplete: ${this.#rightBytes} of ${attributes.sizeBytes} bytes were restored`);
    const fd = this.#open();
    // A hole at the end was never written, and an earlier restore may have left more than is wanted.
    if (this.state === 'partial' || this.#host.isSparse) ftruncateSync(fd, attributes.sizeBytes);
    this.#host.metadata.apply(fd, path, attributes);
    this.#host.posix.rename(this.#partialPlace(), this.#host.tree.placeOf(path));
  }

  /** By name: the file may be one that we cannot open. */
  #finishSame(): void {
    const { attributes, path, existing } = this.facts;
    this.#host.metadata.apply(this.#host.tree.placeOf(path), path, attributes, existing);
  }

  #writeSparse(offset: number, bytes: Uint8Array): void {
    let end = 0;
    for (const range of [...dataRanges(bytes, offset), { start: bytes.length, end: bytes.length }]) {
      if (range.start > end) this.#makeHole(offset + end, range.start - end);
      if (range.end > range.start)
        writeFully(this.#open(), bytes.subarray(range.start, range.end), offset + range.start);
      end = range.end;
    }
  }

  /** In a new file what is not written is a hole; what an earlier restore wrote must go. */
  #makeHole(offset: number, length: number): void {
    if (this.state === 'new' || this.#host.posix.punchHole(this.#open(), offset, length)) return;
    for (let at = 0; at < length; at += zeros.length)
      writeFully(this.#open(), zeros.subarray(0, Math.min(zeros.length, length - at)), offset + at);
  }

  #open(): number {
    const { posix, openFiles } = this.#host;
    if (this.#fd === undefined) {
      assert(this.state !== 'same', 'a file that looks the same is not opened');
      this.#fd = posix.openFile(this.#partialPlace(), O_RDWR | O_NONBLOCK);
      if (posix.stat(this.#fd)?.inode !== this.#inode) throw new Error('was replaced while it was restored');
    }
    openFiles.use(this);
    return this.#fd;
  }

  #partialPlace(): Place {
    const { tree } = this.#host;
    const { path } = this.facts;
    return { folder: tree.placeOf(path).folder, name: fromByteText(tree.partialNameOf(path)) };
  }

  #attempt(action: () => void): boolean {
    if (this.#isSettled) return false;
    const isDone = this.#host.attempt(this.facts.path, action);
    if (!isDone) this.#settle(false);
    return isDone;
  }

  #settle(isRestored: boolean): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#host.openFiles.drop(this);
    if (this.#fd !== undefined) this.#host.posix.close(this.#fd);
    this.#fd = undefined;
    this.#host.settled(this, isRestored);
  }
}

function writeFully(fd: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
}
