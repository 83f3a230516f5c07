import { type Clock, formatSize, messageOf, type Random, toHex } from '#base';
import { StorageError, type StorageErrorCode } from '../errors.ts';
import type { Storage } from '../storage.ts';
import { type CheckResult, runCheck } from './check.ts';
import { expectContent, expectError, itemsOf, listedNames, randomBytes } from './expect.ts';
import { lockSteps } from './lock-steps.ts';
import { Absent, type ProbeSite, type ProbeStep, Risky, smallBytes } from './probe-step.ts';
import { storageChecks } from './storage-checks.ts';

export interface ProbeOptions {
  clock: Clock;
  random: Random;
  /** After the quick probe, every promise of a storage (a few thousand calls, some 200 MiB). */
  isThorough?: boolean;
  signal?: AbortSignal;
}

/** One line of what a place can do. */
export interface ProbeResult extends Omit<CheckResult, 'state'> {
  /** 'risky': it works, and somebody with our login could do what backups never need. */
  state: CheckResult['state'] | 'risky';
  /** What was seen, in words: a speed, a date, why a power is absent. */
  note?: string;
}

/**
 * Tries a place out by doing what backups do there: the "Test connection" of every kind of storage. Leaves nothing
 * behind, unless the place itself forbids to delete, which a line says then. What fails has an error whose hint says
 * what to do, such as the right that is missing.
 */
export async function* probeStorage(storage: Storage, options: ProbeOptions): AsyncGenerator<ProbeResult> {
  const prefix = `holdfast-probe-${toHex(options.random.fill(new Uint8Array(8)))}-`;
  const site: ProbeSite = { storage, prefix, clock: options.clock, random: options.random };
  const results: ProbeResult[] = [];
  for (const step of [...plainSteps, ...lockSteps()]) {
    options.signal?.throwIfAborted();
    const result = await runStep(step, site);
    results.push(result);
    yield result;
    // Without these nothing more can be said.
    if (step.isNeeded && result.state === 'broken') break;
  }
  const isWritten = results.some(({ name, state }) => name === 'write' && state === 'kept');
  const [cleanUp, isClean] = isWritten ? await removeProbe(site) : [undefined, true];
  if (cleanUp) yield cleanUp;
  if (!options.isThorough || !isClean || results.some(({ state }) => state === 'broken')) return;
  for (const check of storageChecks) {
    options.signal?.throwIfAborted();
    yield await runCheck(check, site);
  }
}

const MiB = 1024 * 1024;
const largeBytes = 20 * MiB;
const skewMsMax = 5 * 60_000;

const plainSteps: readonly ProbeStep[] = [
  { name: 'list', isNeeded: true, run: lists },
  { name: 'write', isNeeded: true, run: writes },
  { name: 'read', isNeeded: true, run: reads },
  { name: 'replace', run: replaces },
  { name: 'list what was just written', run: listsAtOnce },
  { name: 'write a large file', run: writesLarge },
  { name: 'read a large file', run: readsLarge },
  { name: 'create only what is absent', run: createsAbsent },
  { name: 'clock', run: comparesClocks },
  { name: 'older versions', run: keepsVersions },
  { name: 'object lock', run: hasLock },
  { name: 'find unfinished uploads', run: findsUnfinished },
  { name: 'free room', run: tellsRoom },
];

async function runStep({ name, run }: ProbeStep, site: ProbeSite): Promise<ProbeResult> {
  const startMs = site.clock.monotonicMs();
  const [outcome] = await Promise.allSettled([run(site)]);
  const durationMs = Math.round(site.clock.monotonicMs() - startMs);
  if (outcome.status === 'fulfilled') {
    const note = outcome.value;
    return { name, state: 'kept', durationMs, ...(note === undefined ? {} : { note }) };
  }
  const { reason } = outcome;
  if (reason instanceof Absent || isCode(reason, 'storage.unsupported'))
    return { name, state: 'absent', durationMs, note: messageOf(reason) };
  if (reason instanceof Risky) return { name, state: 'risky', durationMs, note: reason.message };
  return { name, state: 'broken', durationMs, error: reason };
}

/** @returns the line, and whether nothing is left */
async function removeProbe(site: ProbeSite): Promise<[ProbeResult, boolean]> {
  const { storage, prefix, clock } = site;
  const startMs = clock.monotonicMs();
  const [outcome] = await Promise.allSettled([removeAll(storage, prefix)]);
  const line = { name: 'delete', durationMs: Math.round(clock.monotonicMs() - startMs) };
  if (outcome.status === 'fulfilled') return [{ ...line, state: 'kept' }, true];
  const { reason } = outcome;
  const left = `files of 20 MiB stay as ${prefix}*`;
  if (isCode(reason, 'storage.locked'))
    return [
      { ...line, state: 'absent', note: `what is written is locked at once; ${left} until then` },
      false,
    ];
  if (isCode(reason, 'storage.access-denied'))
    return [{ ...line, state: 'absent', note: `not allowed, as for an append-only key; ${left}` }, false];
  return [{ ...line, state: 'broken', error: reason }, false];
}

async function removeAll(storage: Storage, prefix: string): Promise<void> {
  const names = await listedNames(storage, prefix);
  for (const name of names) await storage.delete(name);
  for (const name of names)
    if (await storage.stat(name)) throw new Error(`${name} was deleted and is still there`);
}

async function lists({ storage, prefix }: ProbeSite): Promise<undefined> {
  await itemsOf(storage.list(prefix));
}

async function writes({ storage, prefix }: ProbeSite): Promise<undefined> {
  await storage.write(`${prefix}small`, smallBytes);
}

async function reads({ storage, prefix }: ProbeSite): Promise<undefined> {
  await expectContent(storage, `${prefix}small`, smallBytes);
  await expectContent(storage, `${prefix}small`, smallBytes.subarray(3, 9), { offset: 3, length: 6 });
  await expectError('storage.not-found', itemsOf(storage.read(`${prefix}absent`)));
}

async function replaces({ storage, prefix }: ProbeSite): Promise<undefined> {
  await storage.write(`${prefix}small`, otherBytes);
  await expectContent(storage, `${prefix}small`, otherBytes);
}

async function listsAtOnce({ storage, prefix }: ProbeSite): Promise<undefined> {
  const names = await listedNames(storage, prefix);
  if (!names.includes(`${prefix}small`)) throw new Error('a file that was written is not listed');
}

async function writesLarge({ storage, prefix, clock, random }: ProbeSite): Promise<string> {
  const piece = randomBytes(random, MiB);
  async function* open() {
    for (let sentBytes = 0; sentBytes < largeBytes; sentBytes += MiB) yield piece;
  }
  const startMs = clock.monotonicMs();
  await storage.write(`${prefix}large`, { open });
  return speed(clock.monotonicMs() - startMs);
}

async function readsLarge({ storage, prefix, clock }: ProbeSite): Promise<string> {
  const startMs = clock.monotonicMs();
  let seenBytes = 0;
  for await (const piece of storage.read(`${prefix}large`)) seenBytes += piece.length;
  if (seenBytes !== largeBytes) throw new Error(`${seenBytes} of ${largeBytes} bytes came back`);
  return speed(clock.monotonicMs() - startMs);
}

async function createsAbsent({ storage, prefix }: ProbeSite): Promise<undefined> {
  const create = (bytes: Uint8Array) => storage.write(`${prefix}once`, bytes, { ifAbsent: true });
  if (storage.capabilities.conditionalCreate) {
    await create(smallBytes);
    await expectError('storage.exists', create(otherBytes));
  }
  if (!storage.capabilities.conditionalCreate)
    throw new Absent('not decided by the server: two writers may both create a file');
}

async function comparesClocks({ storage, prefix, clock }: ProbeSite): Promise<string> {
  await storage.write(`${prefix}time`, smallBytes);
  const { modifiedAt } = (await storage.stat(`${prefix}time`)) ?? {};
  if (!modifiedAt) throw new Absent('the place does not say when it wrote a file');
  const skewMs = Math.abs(clock.nowMs() - modifiedAt.getTime());
  const words = `this machine and the storage differ by ${Math.round(skewMs / 1000)} s`;
  if (skewMs <= skewMsMax) return words;
  throw new StorageError('storage.failed', words, { hint: 'Set the clocks of both (NTP).' });
}

async function keepsVersions({ storage, prefix }: ProbeSite): Promise<string> {
  if (!storage.versions) throw new Absent('this kind of storage keeps none');
  // It was written twice above.
  const versions = await itemsOf(storage.versions.list(`${prefix}small`));
  if (versions.length < 2) throw new Absent('not kept: what is written over or deleted is gone');
  return 'kept';
}

async function hasLock({ storage, prefix }: ProbeSite): Promise<string> {
  if (!storage.retention) throw new Absent('this kind of storage has none');
  const until = await storage.retention.retainedUntil(`${prefix}small`);
  return until
    ? `what is written is locked, until ${until.toISOString()}`
    : 'available; nothing is locked unless asked';
}

async function findsUnfinished({ storage }: ProbeSite): Promise<undefined> {
  if (!storage.removeUnfinished) throw new Absent('this kind of storage leaves none');
  // Nothing is that old: only looks.
  await storage.removeUnfinished(new Date(0));
}

async function tellsRoom({ storage }: ProbeSite): Promise<string> {
  const room = await storage.space?.();
  if (!room) throw new Absent('the place does not tell');
  return `${formatSize(room.freeBytes)} of ${formatSize(room.totalBytes)} are free`;
}

const otherBytes = Buffer.from('holdfast tries this place out again');

function speed(durationMs: number): string {
  return `${formatSize(Math.round((largeBytes / Math.max(1, durationMs)) * 1000))}/s`;
}

function isCode(error: unknown, code: StorageErrorCode): boolean {
  return error instanceof StorageError && error.code === code;
}
