import { formatSize, systemClock } from '#base';
import { formatSeconds, type Output } from './output.ts';

/** What is known of work under way. Totals are absent while they are not known. */
export interface Progress {
  /** What is done now, for people: `reading`, `checking folders`. */
  phase: string;
  bytesDone: number;
  bytesTotal?: number | undefined;
  filesDone?: number;
  filesTotal?: number | undefined;
}

const lineEveryMs = 200;
const objectEveryMs = 1000;
const barWidth = 20;

/** Shows progress while work runs: one line that is rewritten at a terminal, or `status` objects with --json. */
export async function withProgress<T>(
  output: Output,
  look: () => Progress,
  work: () => Promise<T>,
): Promise<T> {
  const isLine = !output.isJson && !output.isQuiet && process.stderr.isTTY === true;
  if (!isLine && !(output.isJson && !output.isQuiet)) return work();
  const ended = new AbortController();
  const startedMs = systemClock.monotonicMs();
  const show = isLine ? showLine : (text: Shown) => output.object(statusOf(text));
  const showing = (async () => {
    for (;;) {
      await systemClock.sleep(isLine ? lineEveryMs : objectEveryMs, {
        signal: ended.signal,
        background: true,
      });
      show({ ...look(), elapsedMs: systemClock.monotonicMs() - startedMs });
    }
  })().catch(() => {});
  if (isLine) output.onWrite = clearLine;
  try {
    return await work();
  } finally {
    ended.abort();
    await showing;
    if (isLine) clearLine();
    output.onWrite = () => {};
  }
}

type Shown = Progress & { elapsedMs: number };

function showLine(shown: Shown): void {
  const width = process.stderr.columns ?? 80;
  process.stderr.write(`\r\x1b[K${formatProgress(shown).slice(0, width - 1)}`);
}

function clearLine(): void {
  process.stderr.write('\r\x1b[K');
}

/** `reading  ████░░░░  42 %  1.2 GiB of 3.0 GiB  120 of 300 files  85 MiB/s  0:21 left` */
function formatProgress(shown: Shown): string {
  const { phase, bytesDone, bytesTotal, filesDone, filesTotal, elapsedMs } = shown;
  const rate = elapsedMs > 0 ? (bytesDone / elapsedMs) * 1000 : 0;
  const parts = [phase];
  if (bytesTotal) {
    // What is read is not yet stored and checked: all is done when the line is gone.
    const share = Math.min(0.99, bytesDone / bytesTotal);
    const full = Math.floor(share * barWidth);
    parts.push(
      `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${String(Math.floor(share * 100)).padStart(3)} %`,
    );
    parts.push(`${formatSize(bytesDone)} of ${formatSize(bytesTotal)}`);
  } else if (bytesDone > 0) parts.push(formatSize(bytesDone));
  if (filesDone !== undefined)
    parts.push(filesTotal ? `${filesDone} of ${filesTotal} files` : `${filesDone} files`);
  if (rate > 0) parts.push(`${formatSize(Math.floor(rate))}/s`);
  const left = secondsLeft(shown, rate);
  if (left !== undefined) parts.push(`${formatSeconds(left)} left`);
  else parts.push(formatSeconds(elapsedMs / 1000));
  return parts.join('  ');
}

function secondsLeft({ bytesDone, bytesTotal }: Shown, rate: number): number | undefined {
  return bytesTotal && rate > 0 && bytesDone <= bytesTotal ? (bytesTotal - bytesDone) / rate : undefined;
}

/** As restic's `status` objects. */
function statusOf(shown: Shown): Record<string, unknown> {
  const { phase, bytesDone, bytesTotal, filesDone, filesTotal, elapsedMs } = shown;
  const rate = elapsedMs > 0 ? (bytesDone / elapsedMs) * 1000 : 0;
  return {
    message_type: 'status',
    phase,
    seconds_elapsed: Math.round(elapsedMs / 1000),
    seconds_remaining:
      secondsLeft(shown, rate) === undefined ? undefined : Math.round(secondsLeft(shown, rate)!),
    percent_done: bytesTotal ? Math.min(1, bytesDone / bytesTotal) : undefined,
    total_files: filesTotal,
    files_done: filesDone,
    total_bytes: bytesTotal,
    bytes_done: bytesDone,
  };
}
