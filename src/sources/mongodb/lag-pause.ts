import type { Clock } from '#base';
import type { MongoConnection } from './connection.ts';

const checkEveryMs = 5000;
/** Cursors die after ten minutes without a request. */
const pauseMsMax = 5 * 60_000;
/** `members[].state` of replSetGetStatus. */
const states = { primary: 1, secondary: 2 };

/** Makes all that read together wait while a secondary of the replica set is behind. */
export class LagPause {
  readonly #connection: MongoConnection;
  readonly #clock: Clock;
  readonly #lagMsMax: number;
  #nextCheckMs = 0;
  #pause: Promise<void> | undefined;

  constructor(connection: MongoConnection, clock: Clock, lagMsMax: number) {
    this.#connection = connection;
    this.#clock = clock;
    this.#lagMsMax = lagMsMax;
  }

  async pass(signal: AbortSignal): Promise<void> {
    if (this.#connection.server.topology !== 'replica set') return;
    if (!this.#pause && this.#clock.monotonicMs() < this.#nextCheckMs) return;
    this.#pause ??= this.#wait(signal).finally(() => {
      this.#pause = undefined;
    });
    await this.#pause;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    for (let waitedMs = 0; waitedMs < pauseMsMax; waitedMs += checkEveryMs) {
      this.#nextCheckMs = this.#clock.monotonicMs() + checkEveryMs;
      if ((await this.#lagMs()) <= this.#lagMsMax) return;
      await this.#clock.sleep(checkEveryMs, { signal });
    }
  }

  /** 0 where the server does not tell. */
  async #lagMs(): Promise<number> {
    const status = await this.#connection.tryCommand('admin', { replSetGetStatus: 1 });
    const members = (status?.members ?? []) as { state: number; optimeDate?: Date }[];
    const timesOf = (wanted: number): number[] =>
      members.flatMap(({ state, optimeDate }) =>
        state === wanted && optimeDate ? [optimeDate.getTime()] : [],
      );
    const [newest] = timesOf(states.primary);
    const oldest = Math.min(...timesOf(states.secondary));
    return newest === undefined || !Number.isFinite(oldest) ? 0 : newest - oldest;
  }
}
