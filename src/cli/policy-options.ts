import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { type Duration, type GroupBy, parseDuration, parseGroupBy, type RetentionPolicy } from '#retention';
import { collectTags } from './values.ts';

export interface PolicyOptions {
  keepLast?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  keepWithin?: Duration;
  keepWithinHourly?: Duration;
  keepWithinDaily?: Duration;
  keepWithinWeekly?: Duration;
  keepWithinMonthly?: Duration;
  keepWithinYearly?: Duration;
  keepTag?: string[][];
  groupBy: GroupBy[];
}

/** Options of a retention policy, as restic's. */
export function addPolicyOptions(command: Command): Command {
  return command
    .option('-l, --keep-last <n>', 'the newest n', parseKeep)
    .option('--keep-hourly <n>', 'one of each of the last n hours that have one', parseKeep)
    .option('--keep-daily <n>', 'one of each of the last n days', parseKeep)
    .option('--keep-weekly <n>', 'one of each of the last n weeks', parseKeep)
    .option('--keep-monthly <n>', 'one of each of the last n months', parseKeep)
    .option('--keep-yearly <n>', 'one of each of the last n years', parseKeep)
    .option('--keep-within <duration>', 'all of the last 1y6m, 35d, 12h …', parseDuration)
    .option('--keep-within-hourly <duration>', 'one of each hour of the last …', parseDuration)
    .option('--keep-within-daily <duration>', 'one of each day of the last …', parseDuration)
    .option('--keep-within-weekly <duration>', 'one of each week of the last …', parseDuration)
    .option('--keep-within-monthly <duration>', 'one of each month of the last …', parseDuration)
    .option('--keep-within-yearly <duration>', 'one of each year of the last …', parseDuration)
    .option('--keep-tag <tags>', 'all with these tags, with commas (may be repeated)', collectTags)
    .option(
      '-g, --group-by <facts>',
      'thin out apart by host, paths, tags, name; "" is one group',
      parseGroupBy,
      ['host', 'paths'] satisfies GroupBy[],
    );
}

/** A count, or `unlimited` (restic's, as -1). */
function parseKeep(text: string): number {
  if (text === 'unlimited') return -1;
  if (!/^(-1|\d{1,9})$/.test(text)) throw new InvalidArgumentError('Write a whole number, or unlimited.');
  return Number(text);
}

export function policyOf(options: PolicyOptions): RetentionPolicy {
  const rules: RetentionPolicy = {};
  const put = <Rule extends keyof RetentionPolicy>(rule: Rule, value: RetentionPolicy[Rule]): void => {
    if (value !== undefined) rules[rule] = value;
  };
  put('last', options.keepLast);
  put('hourly', options.keepHourly);
  put('daily', options.keepDaily);
  put('weekly', options.keepWeekly);
  put('monthly', options.keepMonthly);
  put('yearly', options.keepYearly);
  put('within', options.keepWithin);
  put('withinHourly', options.keepWithinHourly);
  put('withinDaily', options.keepWithinDaily);
  put('withinWeekly', options.keepWithinWeekly);
  put('withinMonthly', options.keepWithinMonthly);
  put('withinYearly', options.keepWithinYearly);
  put('tags', options.keepTag);
  return rules;
}
