import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ImmutableRule, type Repository, saveImmutableRule } from '#repository';
import { StorageError } from '#storage';
import { counted } from './output.ts';

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

/** `compliance, 30 days`. */
export function describeRule({ mode, days }: ImmutableRule): string {
  return `${mode}, ${counted(days, 'day')}`;
}

function parseDays(text: string): number {
  const days = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= daysMax) return days;
  throw new InvalidArgumentError(`Write a number of days from 1 to ${daysMax}.`);
}
