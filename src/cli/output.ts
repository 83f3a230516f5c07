import { formatSize, HoldfastError } from '#base';

/** Where a command tells what it has to tell: people read lines, scripts read JSON. */
export class Output {
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  /** Called before anything is written, to clear a progress line that stands there. */
  onWrite: () => void = () => {};

  readonly #stream: NodeJS.WritableStream;

  /** @param stream where answers go */
  constructor(
    { json, quiet }: { json: boolean; quiet: boolean },
    stream: NodeJS.WritableStream = process.stdout,
  ) {
    this.isJson = json;
    this.isQuiet = quiet;
    this.#stream = stream;
  }

  /** A line of the answer itself. */
  line(text = ''): void {
    this.onWrite();
    this.#stream.write(`${text}\n`);
  }

  /** A line for people about what goes on; not with --json or --quiet. */
  note(text: string): void {
    if (this.isJson || this.isQuiet) return;
    this.line(text);
  }

  /** Something went wrong and the work goes on. */
  problem(path: string, error: Error, gravity: 'lost' | 'odd'): void {
    if (this.isJson) {
      const { message } = error;
      const reason = error instanceof HoldfastError ? { message, code: error.code } : { message };
      const item = { message_type: 'error', item: path, gravity, error: reason };
      this.#toStderr(JSON.stringify(item));
    } else this.#toStderr(`${gravity === 'lost' ? 'error' : 'warning'}: ${path}: ${error.message}`);
  }

  warning(text: string): void {
    this.#toStderr(
      this.isJson ? JSON.stringify({ message_type: 'warning', message: text }) : `warning: ${text}`,
    );
  }

  /** One JSON object on a line. Big integers become numbers; times must be texts already. */
  object(value: unknown): void {
    this.line(JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? Number(member) : member)));
  }

  #toStderr(text: string): void {
    this.onWrite();
    process.stderr.write(`${text}\n`);
  }
}

/** Columns padded to equal width; the last one is left as it is. Numbers and sizes are aligned to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const isRight = header.map(
    (_, i) => rows.length > 0 && rows.every((row) => /^[\d.,]+( [KMGTP]?i?B)?$|^$/.test(row[i]!)),
  );
  const format = (row: readonly string[]): string =>
    row
      .map((cell, i) => (isRight[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [
    format(header),
    '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)),
    ...rows.map(format),
  ];
}

/** `2026-11-24 03:00:05` in the zone of this machine. */
export function formatTime(timeNs: bigint): string {
  const date = new Date(Number(timeNs / 1_000_000n));
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `1:05`, `2:03:04`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** `1 file`, `3 files`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`;
}

export { formatSize };
