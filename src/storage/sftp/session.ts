import type { SFTPWrapper, Client as Ssh } from 'ssh2';
import { type Clock, messageOf } from '#base';
import { StorageError } from '../errors.ts';
import { status, statusOf } from './sftp-error.ts';

export type Done<T> = (error?: Error | null, value?: T) => void;

/** How much of a file is on its way before an answer comes: one SSH window, which hides 10 ms at 200 MiB/s. */
export const windowBytes = 2 * 1024 * 1024;
/** A server that owes answers for so long is given up, though its keepalives come: its disk hangs. */
const silenceMsMax = 300_000;
const lookMs = 30_000;
const openMsMax = 30_000;
const goodbyeMsMax = 1000;

/** SFTP over one connection. It ends once and for all; every request that waits then fails with 'storage.unreachable'. */
export class Session {
  /** Pieces of this size fit into one packet. */
  readonly pieceBytesMax: number;
  readonly #sftp: SFTPWrapper;
  readonly #clients: readonly Ssh[];
  readonly #clock: Clock;
  readonly #waiting = new Set<(reason: unknown) => void>();
  readonly #end = new AbortController();
  #heardAtMs: number;

  /** @param clients the connection that carries it last */
  static async open(clients: readonly Ssh[], clock: Clock): Promise<Session> {
    const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
    const client = clients.at(-1)!;
    client.once('close', () => reject(lostConnection(new Error('it was closed'))));
    client.sftp((error, sftp) => (error ? reject(withoutSftp(error)) : resolve(sftp)));
    const answered = new AbortController();
    const tooLate = clock.sleep(openMsMax, { signal: answered.signal, background: true }).then(() => {
      throw withoutSftp(new Error('no answer'));
    });
    try {
      return new Session(await Promise.race([promise, tooLate]), clients, clock);
    } catch (error) {
      for (const each of clients.toReversed()) each.destroy();
      throw error;
    } finally {
      answered.abort();
    }
  }

  private constructor(sftp: SFTPWrapper, clients: readonly Ssh[], clock: Clock) {
    this.#sftp = sftp;
    this.#clients = clients;
    this.#clock = clock;
    this.#heardAtMs = clock.monotonicMs();
    widenWindow(sftp);
    this.pieceBytesMax = knowsLimits(sftp) ? 255 * 1024 : 31 * 1024;
    for (const emitter of [sftp, ...clients]) {
      emitter.on('error', (error: unknown) => this.#break(error));
      emitter.on('close', () => this.#break(new Error('it was closed')));
    }
    void this.#watch();
  }

  get isOver(): boolean {
    return this.#end.signal.aborted;
  }

  /** Sends one request. @throws Error with the status as `code`; StorageError 'storage.unreachable' */
  ask<T = void>(send: (sftp: SFTPWrapper, done: Done<T>) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.isOver) return Promise.reject(this.#end.signal.reason);
    if (this.#waiting.size === 0) this.#heardAtMs = this.#clock.monotonicMs();
    this.#waiting.add(reject);
    const done: Done<T> = (error, value) => {
      this.#heardAtMs = this.#clock.monotonicMs();
      this.#waiting.delete(reject);
      if (!error) resolve(value as T);
      // ssh2 makes up an error without a status when the channel ends.
      else reject(statusOf(error) === undefined ? lostConnection(error) : error);
    };
    try {
      send(this.#sftp, done);
    } catch (error) {
      this.#waiting.delete(reject);
      reject(asStatus(error));
    }
    return promise;
  }

  /** Says goodbye and ends all connections. */
  async close(): Promise<void> {
    if (this.isOver) return;
    const client = this.#clients.at(-1)!;
    const closed = new Promise<void>((resolve) => client.once('close', resolve));
    this.#finish(new Error('the storage was closed'));
    client.end();
    await Promise.race([closed, this.#clock.sleep(goodbyeMsMax, { background: true })]);
    this.#hangUp();
  }

  #break(reason: unknown): void {
    this.#finish(reason);
    this.#hangUp();
  }

  #hangUp(): void {
    for (const client of this.#clients.toReversed()) client.destroy();
  }

  #finish(reason: unknown): void {
    if (this.isOver) return;
    const error = lostConnection(reason);
    this.#end.abort(error);
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }

  async #watch(): Promise<void> {
    while (!this.isOver) {
      await this.#clock.sleep(lookMs, { signal: this.#end.signal, background: true }).catch(() => {});
      const silentMs = this.#clock.monotonicMs() - this.#heardAtMs;
      if (this.isOver || this.#waiting.size === 0 || silentMs < silenceMsMax) continue;
      this.#break(new Error(`no answer for ${Math.round(silentMs / 1000)} seconds`));
    }
  }
}

/** OpenSSH since 8.5 tells its limits, which ssh2 then heeds; its packets hold 255 KiB. Others may stop at 32 KiB. */
function knowsLimits(sftp: SFTPWrapper): boolean {
  return (sftp as { maxOpenHandles?: number }).maxOpenHandles !== undefined;
}

function lostConnection(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  return new StorageError(
    'storage.unreachable',
    `the connection to the SSH server was lost: ${messageOf(cause)}`,
    {
      hint: 'Check the network and the SSH server.',
      cause,
    },
  );
}

function withoutSftp(cause: Error): StorageError {
  if (/No response|Not connected/.test(cause.message)) return lostConnection(cause);
  return new StorageError('storage.unsupported', `the SSH server does not offer SFTP: ${cause.message}`, {
    hint: 'Allow this account the subsystem sftp (Subsystem sftp internal-sftp); its shell must print nothing at a login without a terminal.',
    cause,
  });
}

/** ssh2 throws when a server has not announced an extension; servers that announce and lack it answer with a status. */
function asStatus(error: unknown): unknown {
  const isLack = messageOf(error).includes('does not support this extended request');
  return isLack
    ? Object.assign(new Error('not offered', { cause: error }), { code: status.unsupported })
    : error;
}

/** How much more than ssh2's 2 MiB, of which it tells anew when half is left, a server may send unasked. */
const moreBytes = 6 * 1024 * 1024;

/**
 * Lets the server send more before it hears from us: with ssh2's own window a connection carries 1 to 2 MiB in each
 * round trip. ssh2 does not know of it and goes on topping up its part, so it never runs out. (It offers no other way.)
 */
function widenWindow(sftp: SFTPWrapper): void {
  const { _client: client, outgoing } = sftp as unknown as {
    _client?: { _protocol?: { channelWindowAdjust?(channelId: number, bytes: number): void } };
    outgoing?: { id: number };
  };
  if (outgoing) client?._protocol?.channelWindowAdjust?.(outgoing.id, moreBytes);
}
