import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { SFTPWrapper, Client as Ssh } from 'ssh2';
import type { Clock } from '#base';
import { StorageError } from '../errors.ts';
import { Session } from './session.ts';

/** A connection that never answers by itself, and a clock that the test moves. */
class Stage {
  readonly sftp = new EventEmitter();
  readonly client = Object.assign(new EventEmitter(), {
    sftp: (done: (error: undefined, sftp: SFTPWrapper) => void) => done(undefined, this.sftp as SFTPWrapper),
    end: () => this.client.emit('close'),
    destroy: () => this.#destroyed++,
  });
  #destroyed = 0;
  #nowMs = 0;
  #sleepers: { untilMs: number; wake: () => void }[] = [];
  readonly #clock: Clock = {
    nowMs: () => this.#nowMs,
    monotonicMs: () => this.#nowMs,
    sleep: (durationMs) =>
      new Promise((wake) => this.#sleepers.push({ untilMs: this.#nowMs + durationMs, wake })),
  };

  get isHungUp(): boolean {
    return this.#destroyed > 0;
  }

  open(): Promise<Session> {
    return Session.open([this.client as unknown as Ssh], this.#clock);
  }

  async passMs(durationMs: number): Promise<void> {
    for (const endMs = this.#nowMs + durationMs; this.#nowMs < endMs; ) {
      this.#nowMs += 10_000;
      const due = this.#sleepers.filter(({ untilMs }) => untilMs <= this.#nowMs);
      this.#sleepers = this.#sleepers.filter((sleeper) => !due.includes(sleeper));
      for (const { wake } of due) wake();
      await new Promise(setImmediate);
    }
  }
}

function isLost(error: unknown): true {
  assert(error instanceof StorageError);
  assert.equal(`${error.code} ${error.retry}`, 'storage.unreachable soon');
  return true;
}

test('gives up a server that owes an answer for five minutes, but not an idle one', async () => {
  const stage = new Stage();
  const session = await stage.open();
  await stage.passMs(3_600_000);
  assert(!session.isOver);
  const asked = session.ask(() => {});
  const refused = assert.rejects(asked, isLost);
  await stage.passMs(280_000);
  assert(!session.isOver);
  await stage.passMs(60_000);
  await refused;
  assert(session.isOver && stage.isHungUp);
  await assert.rejects(
    session.ask(() => {}),
    isLost,
  );
});

test('any answer shows that the server lives', async () => {
  const stage = new Stage();
  const session = await stage.open();
  let answer = () => {};
  const slow = session.ask((_sftp, done) => {
    answer = done;
  });
  for (let i = 0; i < 5; i++) {
    await stage.passMs(200_000);
    await session.ask((_sftp, done) => done());
  }
  answer();
  await slow;
  assert(!session.isOver);
});

test('a channel or connection that ends fails all that waits, and later requests', async () => {
  for (const part of ['sftp', 'client'] as const) {
    const stage = new Stage();
    const session = await stage.open();
    const asked = [session.ask(() => {}), session.ask(() => {})].map((each) => assert.rejects(each, isLost));
    stage[part].emit('error', new Error('read ECONNRESET'));
    await Promise.all(asked);
    assert(session.isOver && stage.isHungUp);
  }
});

test('an extension that the server has not announced is a status like any other', async () => {
  const session = await new Stage().open();
  const lack = session.ask(() => {
    throw new Error('Server does not support this extended request');
  });
  await assert.rejects(lack, { code: 8 });
  const mistake = new Error('handle is not a Buffer');
  await assert.rejects(
    session.ask(() => {
      throw mistake;
    }),
    mistake,
  );
});

test('a goodbye ends what waits without keeping anybody', async () => {
  const stage = new Stage();
  const session = await stage.open();
  const asked = assert.rejects(
    session.ask(() => {}),
    isLost,
  );
  await session.close();
  await session.close();
  await asked;
  assert(stage.isHungUp);
});
