import assert from 'node:assert/strict';
import type { CheckSite, StorageCheck } from './check.ts';
import { expectContent, expectError, expectNothing, expectReason, randomBytes } from './expect.ts';

/** Writes whose content comes little by little, and may end badly. */
export const streamChecks: readonly StorageCheck[] = [
  { name: 'writes a stream', run: writesStream },
  { name: 'asks a stream for its next piece only after the one before', isHeavy: true, run: asksInTurn },
  { name: 'writes what it reads from itself', run: copiesItself },
  { name: 'leaves nothing of a stream that fails', needs: 'atomicWrite', run: leavesNothingOfFailure },
  {
    name: 'leaves nothing of a stream of another size than announced',
    needs: 'atomicWrite',
    run: checksSize,
  },
  { name: 'leaves nothing of an aborted write', needs: 'atomicWrite', run: leavesNothingOfAborted },
];

async function writesStream({ storage, folder, random }: CheckSite): Promise<void> {
  const pieces = [1, 70_000, 0, 200_000].map((sizeBytes) => randomBytes(random, sizeBytes));
  const all = Buffer.concat(pieces);
  const open = () => streamOf(pieces);
  await storage.write(`${folder}size-unknown`, { open });
  await expectContent(storage, `${folder}size-unknown`, all);
  await storage.write(`${folder}size-known`, { open, sizeBytes: all.length });
  await expectContent(storage, `${folder}size-known`, all);
  await storage.write(`${folder}empty`, { open: () => streamOf([]) });
  await expectContent(storage, `${folder}empty`, new Uint8Array());
}

async function asksInTurn({ storage, folder, random }: CheckSite): Promise<void> {
  const piece = randomBytes(random, 64 * 1024);
  let pieceCount = 0;
  let isAsked = false;
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    assert(!isAsked, 'asked for a piece while it waits for the one before');
    isAsked = true;
    await null;
    isAsked = false;
    return pieceCount++ < 320 ? { done: false, value: piece } : { done: true, value: undefined };
  };
  await storage.write(`${folder}stream`, { open: () => ({ [Symbol.asyncIterator]: () => ({ next }) }) });
  assert.equal((await storage.stat(`${folder}stream`))?.sizeBytes, 320 * piece.length);
}

async function copiesItself({ storage, folder, random }: CheckSite): Promise<void> {
  const bytes = randomBytes(random, 2_500_000);
  await storage.write(`${folder}from`, bytes);
  await storage.write(`${folder}to`, { open: () => storage.read(`${folder}from`) });
  await expectContent(storage, `${folder}to`, bytes);
}

async function leavesNothingOfFailure({ storage, folder, random }: CheckSite): Promise<void> {
  // A system error of the source must not be taken for one of the storage.
  const failure = Object.assign(new Error('the source broke'), { code: 'EACCES' });
  let isEnded = false;
  async function* open() {
    try {
      yield randomBytes(random, 200_000);
      throw failure;
    } finally {
      isEnded = true;
    }
  }
  await expectReason(failure, storage.write(`${folder}new`, { open, sizeBytes: 400_000 }));
  assert(isEnded, 'the stream was left open');
  await expectNothing(storage, folder);

  const old = randomBytes(random, 1000);
  await storage.write(`${folder}old`, old);
  await expectReason(failure, storage.write(`${folder}old`, { open }));
  await expectContent(storage, `${folder}old`, old);
}

async function checksSize({ storage, folder, random }: CheckSite): Promise<void> {
  const pieces = [randomBytes(random, 1000), randomBytes(random, 1000)];
  for (const sizeBytes of [0, 1999, 2001, 1_000_000]) {
    const content = { open: () => streamOf(pieces), sizeBytes };
    await expectError('storage.interrupted', storage.write(`${folder}file`, content));
  }
  await expectNothing(storage, folder);
}

async function leavesNothingOfAborted({ storage, folder, random }: CheckSite): Promise<void> {
  const reason = new Error('no longer wanted');
  const name = `${folder}file`;
  await expectReason(
    reason,
    storage.write(name, randomBytes(random, 1000), { signal: AbortSignal.abort(reason) }),
  );
  const abort = new AbortController();
  async function* open() {
    yield randomBytes(random, 200_000);
    abort.abort(reason);
    await new Promise(() => {});
  }
  await expectReason(reason, storage.write(name, { open }, { signal: abort.signal }));
  await expectNothing(storage, folder);
}

async function* streamOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
