import { constants, readSync } from 'node:fs';
import type { FileAttributes, Posix } from '#base';
import { SourceError } from '../errors.ts';
import { IgnoreFile } from './gitignore.ts';
import { type ByteText, fromByteText, toByteText, toLowerText, toPatternText } from './names.ts';
import { PathPatterns } from './path-pattern.ts';

/** What is left out of a files source. A folder that is left out is never entered. */
export interface ExcludeOptions {
  /** Patterns in restic's syntax, see `PathPatterns`. */
  excludes?: readonly string[] | undefined;
  /** The same, compared without regard to case. */
  excludesIgnoringCase?: readonly string[] | undefined;
  /** Regular files that are larger stay out. */
  excludeLargerThanBytes?: number | undefined;
  /** Leaves out what is in folders with a valid CACHEDIR.TAG (bford.info/cachedir), but for the tag. */
  excludeCaches?: boolean | undefined;
  /** `FILE` or `FILE:HEADER`: leaves out what is beside such a file (that starts with HEADER), but for the file. */
  excludeIfPresent?: readonly string[] | undefined;
  /** Names of files like `.gitignore`, read in each folder; of two in one folder the later named wins. */
  ignoreFiles?: readonly string[] | undefined;
}

interface Tag {
  name: ByteText;
  header: Buffer;
}

const cacheTag = 'CACHEDIR.TAG:Signature: 8a477f597d28d172789f06886806bc55';
const ignoreFileSizeMax = 16 * 1024 * 1024;
const { O_RDONLY, O_NONBLOCK } = constants;

/** Decides what stays out while a walk goes down and up; `enter` and `leave` follow it. */
export class ExcludeRules {
  readonly #posix: Posix;
  readonly #patterns: PathPatterns;
  readonly #patternsIgnoringCase: PathPatterns;
  readonly #sizeMax: number;
  readonly #tags: Tag[];
  readonly #ignoreFileNames: ByteText[];
  /** The names of the path that is looked at; texts only where patterns need them. */
  readonly #names: ByteText[] = [];
  readonly #texts: string[] = [];
  readonly #lowerTexts: string[] = [];
  /** The ignore files in force, the deepest last; `depth` is that of their folder. */
  readonly #ignoreFiles: { depth: number; file: IgnoreFile }[] = [];

  /** @throws SourceError 'sources.pattern' */
  constructor(posix: Posix, options: ExcludeOptions) {
    this.#posix = posix;
    this.#patterns = new PathPatterns(options.excludes ?? []);
    this.#patternsIgnoringCase = new PathPatterns((options.excludesIgnoringCase ?? []).map(toLowerText));
    this.#sizeMax = options.excludeLargerThanBytes ?? Number.POSITIVE_INFINITY;
    const tags = [...(options.excludeIfPresent ?? []), ...(options.excludeCaches ? [cacheTag] : [])];
    this.#tags = tags.map(parseTag);
    this.#ignoreFileNames = (options.ignoreFiles ?? []).map((name) => toByteText(name));
  }

  /** Goes to a name in the present folder. */
  enter(name: ByteText): void {
    this.#names.push(name);
    if (!this.#patterns.isEmpty) this.#texts.push(toPatternText(name));
    if (!this.#patternsIgnoringCase.isEmpty) this.#lowerTexts.push(toLowerText(toPatternText(name)));
  }

  /** Back to the folder above. */
  leave(): void {
    this.#names.pop();
    this.#texts.pop();
    this.#lowerTexts.pop();
    while ((this.#ignoreFiles.at(-1)?.depth ?? 0) > this.#names.length) this.#ignoreFiles.pop();
  }

  /** Whether a pattern excludes the present path; asked first, since it needs no look at the file. */
  isPathExcluded(): boolean {
    return this.#patterns.match(this.#texts) || this.#patternsIgnoringCase.match(this.#lowerTexts);
  }

  isTooLarge(attributes: FileAttributes): boolean {
    return attributes.type === 'file' && attributes.sizeBytes > this.#sizeMax;
  }

  /** Whether an ignore file in a folder above excludes the present path. */
  isIgnored(attributes: FileAttributes): boolean {
    for (let i = this.#ignoreFiles.length - 1; i >= 0; i--) {
      const { depth, file } = this.#ignoreFiles[i]!;
      const verdict = file.verdict(this.#names, depth, attributes.type === 'dir');
      if (verdict) return verdict === 'ignored';
    }
    return false;
  }

  /** Reads the ignore files and tags of the present folder. @returns the names that its tags leave */
  readFolder(folder: number, names: ByteText[]): ByteText[] {
    for (const name of this.#ignoreFileNames) {
      const content = names.includes(name) && this.#readStart(folder, name, ignoreFileSizeMax);
      if (content)
        this.#ignoreFiles.push({ depth: this.#names.length, file: new IgnoreFile(toByteText(content)) });
    }
    let left = names;
    for (const tag of this.#tags)
      if (names.includes(tag.name) && this.#hasHeader(folder, tag))
        left = left.filter((name) => name === tag.name);
    return left;
  }

  #hasHeader(folder: number, { name, header }: Tag): boolean {
    if (header.length === 0) return true;
    return this.#readStart(folder, name, header.length)?.equals(header) ?? false;
  }

  /** The first bytes of a regular file; undefined when it cannot be read: then it has no say. */
  #readStart(folder: number, name: ByteText, sizeMax: number): Buffer | undefined {
    let fd: number | undefined;
    try {
      // Without O_NONBLOCK a FIFO of this name would block us.
      fd = this.#posix.openFile({ folder, name: fromByteText(name) }, O_RDONLY | O_NONBLOCK);
      const attributes = this.#posix.stat(fd);
      if (attributes?.type !== 'file') return undefined;
      const bytes = Buffer.alloc(Math.min(sizeMax, attributes.sizeBytes));
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
    } catch {
      return undefined;
    } finally {
      if (fd !== undefined) this.#posix.close(fd);
    }
  }
}

function parseTag(text: string): Tag {
  const [name, ...header] = text.split(':');
  if (!name || name.includes('/'))
    throw new SourceError('sources.pattern', `malformed tag file ${text}`, {
      hint: 'Write a file name without a slash, or NAME:HEADER.',
    });
  return { name: toByteText(name), header: Buffer.from(header.join(':')) };
}
