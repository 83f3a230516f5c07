import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ImmutableRule, type Repository, saveImmutableRule } from '#repository';
import { type RetentionPolicy, reachDaysOf } from '#retention';
import { StorageError } from '#storage';
import { counted, type Output } from './output.ts';

export interface LockOptions {
  lockMode: ImmutableRule['mode'];
  lockDays?: number;
}

/** Longer than anybody keeps a compliance lock on purpose. */
const daysMax = 36_500;

export function addLockOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--lock-mode <mode>', 'governance: a special right lifts it; compliance: nobody')
        .choices(['governance', 'compliance'])
        .default('governance'),
    )
    .option('--lock-days <days>', 'nobody can delete a snapshot for so many days (object lock)', parseDays);
}

/** Sets the rule, once it is clear that the storage has what it needs. @throws StorageError 'storage.unsupported' */
export async function setRule(repository: Repository, rule: ImmutableRule): Promise<void> {
  const { retention, location } = repository.storage;
  if (!retention) {
    throw new StorageError('storage.unsupported', `${location} has no object lock`, {
      hint: 'Only buckets have it. Without it, leave --lock-days out.',
    });
  }
  // Any file tells whether the place knows locks.
  await retention.retainedUntil('config');
  await saveImmutableRule(repository, rule);
}

/** Where a policy keeps snapshots for longer than their lock lasts. */
export function warnOfShortLock(
  output: Output,
  rule: ImmutableRule | undefined,
  policy: RetentionPolicy,
): void {
  const reachDays = reachDaysOf(policy);
  if (!rule || reachDays <= rule.days) return;
  const reach = Number.isFinite(reachDays) ? `for ${counted(Math.ceil(reachDays), 'day')}` : 'without end';
  output.warning(
    `snapshots are locked for ${counted(rule.days, 'day')} and kept ${reach}: older ones can be deleted by whoever has the key of the storage. ${longerHint}`,
  );
}

/** Where snapshots are there that are older than the lock of new ones will last. */
export async function warnOfOlderSnapshots(
  output: Output,
  repository: Repository,
  { days }: ImmutableRule,
): Promise<void> {
  const [oldest] = await repository.snapshots();
  if (!oldest) return;
  const ageDays = (repository.clock.nowMs() - Number(oldest.timeNs / 1_000_000n)) / 86_400_000;
  if (ageDays <= days) return;
  output.warning(
    `the oldest snapshot is ${counted(Math.floor(ageDays), 'day')} old, the lock lasts ${counted(days, 'day')}: what is kept for longer can be deleted by whoever has the key of the storage. ${longerHint}`,
  );
}

const longerHint = '`holdfast lock --lock-days` makes it longer.';

/** `compliance, 30 days`. */
export function describeRule({ mode, days }: ImmutableRule): string {
  return `${mode}, ${counted(days, 'day')}`;
}

function parseDays(text: string): number {
  const days = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= daysMax) return days;
  throw new InvalidArgumentError(`Write a number of days from 1 to ${daysMax}.`);
}
