/** Something that holds a descriptor and can open it again later. */
export interface Parkable {
  /** Closes the descriptor until it is used again. */
  park(): void;
}

/** Keeps the number of open files within a limit: the one used least recently is parked. */
export class OpenFiles {
  readonly #limit: number;
  /** In order of use. */
  readonly #open = new Set<Parkable>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Notes that a file is open and in use. */
  use(file: Parkable): void {
    this.#open.delete(file);
    this.#open.add(file);
    if (this.#open.size <= this.#limit) return;
    const [oldest] = this.#open;
    this.#open.delete(oldest!);
    oldest!.park();
  }

  /** Notes that a file is closed. */
  drop(file: Parkable): void {
    this.#open.delete(file);
  }

  parkAll(): void {
    for (const file of this.#open) file.park();
    this.#open.clear();
  }
}
