import { StorageError } from '../errors.ts';
import type { Retention, Versions } from '../storage.ts';
import { Absent, type ProbeSite, type ProbeStep, Risky, smallBytes } from './probe-step.ts';

/** Short, since the probe waits for its end to leave nothing behind. */
const lockMs = 3000;
const refusals: readonly string[] = ['storage.access-denied', 'storage.locked', 'storage.unsupported'];

interface LockedFile {
  name: string;
  versions: Versions;
  retention: Retention;
  /** Of our own clock's counter: when the lock has surely ended. */
  endsAtMs: number;
}

/** The steps of one probe that try object lock: a lock of the weakest kind, and what our login could do against it. */
export function lockSteps(): ProbeStep[] {
  let file: LockedFile | undefined;
  return [
    {
      name: 'lock a file',
      async run(site) {
        file = await lock(site);
        return 'it could not be deleted until its date';
      },
    },
    {
      name: 'rights that are not too wide',
      async run(site) {
        const risks = [
          ...(await versionRisk(site)),
          ...(file ? await lockRisks(file) : []),
          ...(file ? await bucketRisk(file) : []),
        ];
        if (file) await site.clock.sleep(Math.max(0, file.endsAtMs - site.clock.monotonicMs()));
        if (risks.length > 0) throw new Risky(`this login may ${risks.join('; it may ')}`);
        return 'none was found that destroys what is kept';
      },
    },
  ];
}

async function lock({ storage, prefix, clock }: ProbeSite): Promise<LockedFile> {
  const { retention, versions } = storage;
  if (!retention || !versions) throw new Absent('this kind of storage has none');
  const name = `${prefix}locked`;
  await storage.write(name, smallBytes);
  // The server's own time.
  const { modifiedAt = new Date(clock.nowMs()) } = (await storage.stat(name)) ?? {};
  const until = new Date(Math.ceil((modifiedAt.getTime() + lockMs) / 1000) * 1000);
  const endsAtMs = clock.monotonicMs() + (until.getTime() - modifiedAt.getTime()) + 1000;
  const setLock = () => retention.extend(name, until, { mode: 'governance' });
  if (await isRefused(setLock()))
    throw new Absent(
      'not to be had by this login; allow s3:PutObjectRetention if snapshots shall be immutable',
    );
  const seen = await retention.retainedUntil(name);
  if (!seen || seen < until)
    throw broken(`a lock until ${until.toISOString()} was set, and ${seen?.toISOString() ?? 'none'} is told`);
  for await (const { name: found, versionId, isLatest } of versions.list(name))
    if (found === name && isLatest && !(await isRefused(versions.delete(name, versionId))))
      throw broken('a file that was locked could be deleted');
  return { name, versions, retention, endsAtMs };
}

async function lockRisks({ name, retention }: LockedFile): Promise<string[]> {
  const isKept = await isRefused(retention.deleteLocked(name));
  return isKept
    ? []
    : [
        'lift locks of governance (s3:BypassGovernanceRetention): whoever has it destroys locked snapshots, but for those in compliance mode',
      ];
}

async function bucketRisk({ retention }: LockedFile): Promise<string[]> {
  const isKept = await isRefused(retention.resetDefault());
  return isKept
    ? []
    : [
        'change the lock of the whole bucket (s3:PutBucketObjectLockConfiguration): whoever has it ends the lock of what is written later',
      ];
}

/** @returns what is wrong, if anything */
async function versionRisk({ storage, prefix }: ProbeSite): Promise<string[]> {
  const { versions } = storage;
  const name = `${prefix}small`;
  if (!versions) throw new Absent('this kind of storage keeps nothing from who may write to it');
  for await (const version of versions.list(name)) {
    if (version.name !== name || version.isLatest) continue;
    if (await isRefused(versions.delete(name, version.versionId))) return [];
    return [
      'delete older versions (s3:DeleteObjectVersion): prune needs that, backups do not, and whoever has it destroys all that is not locked',
    ];
  }
  throw new Absent('no older versions are kept: whoever may write can destroy');
}

async function isRefused(work: Promise<void>): Promise<boolean> {
  const [outcome] = await Promise.allSettled([work]);
  if (outcome.status === 'fulfilled') return false;
  const { reason } = outcome;
  if (reason instanceof StorageError && refusals.includes(reason.code)) return true;
  throw reason;
}

function broken(message: string): StorageError {
  return new StorageError('storage.failed', message, {
    hint: 'This server does not keep its locks. Do not rely on them.',
  });
}
