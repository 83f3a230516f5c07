import type { Command } from 'commander';
import { HoldfastError, messageOf, systemClock, systemRandom } from '#base';
import { openStorage, type ProbeResult, probeStorage } from '#storage';
import { hostKeyAsker } from '../ask-host-key.ts';
import type { Output } from '../output.ts';
import { action, examples, type Session } from '../session.ts';

interface Options {
  thorough: boolean;
}

/** A place that does not answer shall say so soon. */
const attemptsMax = 3;

export function define(command: Command): void {
  command
    .command('test')
    .summary('tell what works at a location, and which right is missing')
    .description('Does at a location what backups do there, tells what works, and removes it again.')
    .argument('<location>', 'such as /srv/backup or s3:https://host/bucket/prefix')
    .option('--thorough', 'then check every promise of a storage (thousands of calls, 200 MiB)', false)
    .addHelpText(
      'after',
      examples(
        'holdfast storage test /srv/backup',
        'holdfast storage test s3:https://s3.eu-central-1.wasabisys.com/bucket/shop --thorough',
      ),
    )
    .action(action(run));
}

async function run({ options, output, signal }: Session<Options>, location: string): Promise<number> {
  const storage = await openStorage(location, { retry: { attemptsMax }, sftp: hostKeyAsker() });
  let brokenCount = 0;
  try {
    const probing = { clock: systemClock, random: systemRandom, isThorough: options.thorough, signal };
    for await (const result of probeStorage(storage, probing)) {
      if (result.state === 'broken') brokenCount++;
      tell(output, result);
    }
  } finally {
    await storage.close();
  }
  if (brokenCount === 0) output.note(`${location} can hold a repository`);
  return brokenCount === 0 ? 0 : 1;
}

const marks = { kept: 'works ', absent: 'absent', risky: 'RISKY ', broken: 'FAILED' } as const;

function tell(output: Output, { name, state, note, durationMs, error }: ProbeResult): void {
  const hint = error instanceof HoldfastError ? error.hint : undefined;
  const reason = error === undefined ? note : messageOf(error);
  if (output.isJson) {
    const failure = error === undefined ? undefined : { message: reason, hint };
    output.object({ message_type: 'probe', name, state, note, duration_ms: durationMs, error: failure });
    return;
  }
  const line = reason === undefined ? `${marks[state]}  ${name}` : `${marks[state]}  ${name}: ${reason}`;
  if (state === 'broken' || state === 'risky') output.line(line);
  else output.note(line);
  if (hint) output.line(`        hint: ${hint}`);
}
