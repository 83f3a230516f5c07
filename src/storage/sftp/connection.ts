import { type Clock, isRetryable } from '#base';
import { orAborted } from '../abort.ts';
import { logIn } from './login.ts';
import type { SftpOptions } from './options.ts';
import { routeTo, type SftpPlace } from './route.ts';
import { Session } from './session.ts';

/** The way to one server: connects at the first call, and anew after a connection was lost. */
export class Connection {
  readonly #place: SftpPlace;
  readonly #options: SftpOptions;
  readonly #clock: Clock;
  #opening: Promise<Session> | undefined;
  #session: Session | undefined;

  constructor(place: SftpPlace, options: SftpOptions, clock: Clock) {
    this.#place = place;
    this.#options = options;
    this.#clock = clock;
  }

  /** Calls at once share one connection. */
  session(signal: AbortSignal | undefined): Promise<Session> {
    signal?.throwIfAborted();
    if (this.#session?.isOver) this.#opening = undefined;
    this.#opening ??= this.#open();
    return orAborted(this.#opening, signal);
  }

  async close(): Promise<void> {
    const [opened] = await Promise.allSettled([this.#opening]);
    if (opened.status === 'fulfilled') await opened.value?.close();
  }

  async #open(): Promise<Session> {
    this.#session = undefined;
    try {
      const clients = await logIn(routeTo(this.#place, this.#options), this.#options);
      this.#session = await Session.open(clients, this.#clock);
      return this.#session;
    } catch (error) {
      // A refused login is not repeated: servers shut out who tries too often.
      if (isRetryable(error)) this.#opening = undefined;
      throw error;
    }
  }
}
