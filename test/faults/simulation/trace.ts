import { createHash } from 'node:crypto';

const linesKept = 600;

/** What happened in a world, line by line. The hash tells whether two runs were the same to the last byte and millisecond. */
export class Trace {
  readonly #hash = createHash('sha256');
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#hash.update(line).update('\n');
    this.#lines.push(line);
    if (this.#lines.length > linesKept) this.#lines.shift();
  }

  /** The last lines, for people. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
