import type { Clock } from '#base';
import { StorageError } from '../errors.ts';

/** One try of a call, with a deadline for each answer. */
export class Attempt {
  /** For the call: aborted by the caller, or when an answer did not come in time. */
  readonly signal: AbortSignal | undefined;
  readonly #abort = new AbortController();
  readonly #clock: Clock;
  readonly #silenceMsMax: number | undefined;

  /** @param silenceMsMax how long an answer may take; undefined: for ever */
  constructor(clock: Clock, silenceMsMax: number | undefined, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#silenceMsMax = silenceMsMax;
    if (silenceMsMax === undefined) this.signal = signal;
    else this.signal = signal ? AbortSignal.any([signal, this.#abort.signal]) : this.#abort.signal;
  }

  /** Waits for an answer. What comes too late is passed over: the call need not heed the signal. */
  async answer<T>(work: Promise<T>): Promise<T> {
    const limitMs = this.#silenceMsMax;
    if (limitMs === undefined) return work;
    const answered = new AbortController();
    const tooLate = this.#clock.sleep(limitMs, { signal: answered.signal, background: true }).then(() => {
      const error = new StorageError('storage.unreachable', `the storage was silent for ${limitMs} ms`, {
        hint: 'Check the connection to the storage.',
      });
      this.#abort.abort(error);
      throw error;
    });
    try {
      return await Promise.race([work, tooLate]);
    } finally {
      answered.abort();
    }
  }
}
