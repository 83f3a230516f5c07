import type { Posix } from '#base';
import { type ByteText, fromByteText, lastName, upperPath } from './names.ts';

/** How a folder is opened, see `Posix.openFolder`. */
export interface Opening {
  follow?: boolean;
  searchOnly?: boolean;
}

/**
 * Descriptors of folders below a root, opened name by name from the nearest one that is open, so that no symlink
 * is followed and a path may be longer than the system's limit. The ones used least recently are closed.
 */
export class FolderHandles {
  readonly #posix: Posix;
  readonly #root: number;
  readonly #how: (path: ByteText) => Opening;
  readonly #limit: number;
  /** In order of use. */
  readonly #open = new Map<ByteText, number>();
  #latestPath: ByteText | undefined;
  #latest = -1;

  /** @param root open for as long as this is used; closed by `close` */
  constructor(posix: Posix, root: number, how: (path: ByteText) => Opening = () => ({}), limit = 128) {
    this.#posix = posix;
    this.#root = root;
    this.#how = how;
    this.#limit = limit;
  }

  /** A descriptor that stays open at least for the next call of `open` too. @param path below the root; '' is the root */
  open(path: ByteText): number {
    if (path === this.#latestPath) return this.#latest;
    this.#latest = path === '' ? this.#root : (this.#reuse(path) ?? this.#openBelow(path));
    this.#latestPath = path;
    return this.#latest;
  }

  /** Closes a folder and all below it, because it was removed or replaced. */
  forget(path: ByteText): void {
    for (const [open, fd] of this.#open)
      if (open === path || open.startsWith(`${path}/`)) {
        this.#open.delete(open);
        this.#posix.close(fd);
      }
    this.#latestPath = undefined;
  }

  close(): void {
    for (const fd of this.#open.values()) this.#posix.close(fd);
    this.#open.clear();
    this.#latestPath = undefined;
    this.#posix.close(this.#root);
  }

  #reuse(path: ByteText): number | undefined {
    const fd = this.#open.get(path);
    if (fd === undefined) return undefined;
    this.#open.delete(path);
    this.#open.set(path, fd);
    return fd;
  }

  #openBelow(path: ByteText): number {
    const missing: ByteText[] = [];
    let upper = path;
    while (upper !== '' && !this.#open.has(upper)) {
      missing.push(upper);
      upper = upperPath(upper);
    }
    let fd = upper === '' ? this.#root : this.#reuse(upper)!;
    for (const next of missing.reverse()) {
      fd = this.#posix.openFolder({ folder: fd, name: fromByteText(lastName(next)) }, this.#how(next));
      this.#open.set(next, fd);
      this.#closeOldest();
    }
    return fd;
  }

  #closeOldest(): void {
    if (this.#open.size <= this.#limit) return;
    for (const [path, fd] of this.#open) {
      // The last one that was asked for may still be in use, together with the one that is being opened.
      if (fd === this.#latest) continue;
      this.#open.delete(path);
      this.#posix.close(fd);
      return;
    }
  }
}
