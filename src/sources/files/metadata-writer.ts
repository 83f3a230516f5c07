import { type FileAttributes, type FileRef, messageOf, type Posix } from '#base';
import type { SourceProblem } from '../source.ts';
import { type ByteText, toPrintable } from './names.ts';

/** setuid and setgid: wrong, and dangerous, on a file that belongs to someone else than it did. */
const privilegeBits = 0o6000;
/** chown's "leave it as it is". */
const unchanged = 0xffffffff;
/** Attributes that a new file gets from its folder or the system; those not in the snapshot are taken away again. */
const removable = /^(user\.|system\.posix_acl_|security\.capability$)/;

export interface MetadataOptions {
  /** Sets owners and groups; otherwise they stay ours and that is told. */
  owners: boolean;
  onProblem(problem: SourceProblem): void;
}

/**
 * Gives restored files owner, extended attributes, mode and times, in this order: a change of owner clears setuid
 * bits and capabilities, and all of them change times. What cannot be set is told: one by one where it fails,
 * together at the end where this system or account cannot set it at all.
 */
export class MetadataWriter {
  readonly #posix: Posix;
  readonly #options: MetadataOptions;
  /** What was not set at all → first path and how many. */
  readonly #losses = new Map<string, { path: ByteText; count: number }>();

  constructor(posix: Posix, options: MetadataOptions) {
    this.#posix = posix;
    this.#options = options;
  }

  /** @param existing what the file has already; what is right is not touched */
  apply(file: FileRef, path: ByteText, attributes: FileAttributes, existing?: FileAttributes): void {
    const isOwned = existing?.uid === attributes.uid && existing.gid === attributes.gid;
    const hasOwner = isOwned || this.#setOwner(file, path, attributes);
    this.#setXattrs(file, path, attributes);
    const mode = hasOwner ? attributes.mode : attributes.mode & ~privilegeBits;
    if (attributes.type !== 'symlink' && !(isOwned && existing?.mode === mode))
      this.#attempt(path, 'mode', () => this.#posix.setMode(file, mode));
    if (existing?.mtimeNs === attributes.mtimeNs) return;
    if (!this.#posix.capabilities.exactTimes && attributes.mtimeNs % 1000n !== 0n)
      this.#lose('nanoseconds of times (need Node 26)', path);
    this.#attempt(path, 'times', () => this.#posix.setTimes(file, attributes.atimeNs, attributes.mtimeNs));
  }

  /** Tells what was lost throughout. */
  tellLosses(): void {
    for (const [what, { path, count }] of this.#losses) {
      const error = new Error(
        `${what}: not restored for ${count} ${count === 1 ? 'entry' : 'entries'}, first here`,
      );
      this.#options.onProblem({ path: toPrintable(`/${path}`), error, gravity: 'odd' });
    }
    this.#losses.clear();
  }

  /** @returns whether owner and group are now as they were */
  #setOwner(file: FileRef, path: ByteText, { uid, gid }: FileAttributes): boolean {
    if (this.#options.owners) return this.#attempt(path, 'owner', () => this.#posix.setOwner(file, uid, gid));
    if (uid === process.geteuid?.() && this.#tryGroup(file, gid)) return true;
    this.#lose('owner (needs root)', path);
    return false;
  }

  /** Whoever owns a file may give it to a group of their own. */
  #tryGroup(file: FileRef, gid: number): boolean {
    try {
      this.#posix.setOwner(file, unchanged, gid);
      return true;
    } catch {
      return false;
    }
  }

  #setXattrs(file: FileRef, path: ByteText, { extendedAttributes: wanted = [] }: FileAttributes): void {
    if (!this.#posix.capabilities.extendedAttributes) {
      if (wanted.length) this.#lose('extended attributes (need Node 26)', path);
      return;
    }
    const present = new Map<string, Uint8Array>();
    this.#attempt(path, 'extended attributes', () => {
      for (const { name, value } of this.#posix.readXattrs(file)) present.set(name, value);
    });
    for (const attribute of wanted) {
      const value = present.get(attribute.name);
      present.delete(attribute.name);
      if (value && Buffer.compare(value, attribute.value) === 0) continue;
      this.#attempt(path, `extended attribute ${attribute.name}`, () =>
        this.#posix.setXattr(file, attribute),
      );
    }
    for (const name of present.keys())
      if (removable.test(name))
        this.#attempt(path, `absence of extended attribute ${name}`, () =>
          this.#posix.removeXattr(file, name),
        );
  }

  #attempt(path: ByteText, what: string, action: () => void): boolean {
    try {
      action();
      return true;
    } catch (cause) {
      const error = new Error(`${what}: not restored: ${messageOf(cause)}`, { cause });
      this.#options.onProblem({ path: toPrintable(`/${path}`), error, gravity: 'odd' });
      return false;
    }
  }

  #lose(what: string, path: ByteText): void {
    const loss = this.#losses.get(what);
    if (loss) loss.count++;
    else this.#losses.set(what, { path, count: 1 });
  }
}
