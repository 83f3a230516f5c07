import type { Command } from 'commander';
import { Access } from '#access';
import { systemClock, systemRandom } from '#base';
import { openRecords } from '#plans';
import { openStateFolder } from '../state-folder.ts';
import type { CommandSurroundings } from './serve.ts';

export function defineSetupLink(command: Command, surroundings: () => CommandSurroundings): void {
  command
    .option('--url <url>', 'where the server is reached', 'http://127.0.0.1:7373')
    .description(
      'Prints a new setup link; the one before works no more. Only until there is an administrator.',
    )
    .action(async ({ url }: { url: string }) => {
      const { home, say } = surroundings();
      const { catalog, masterKeys } = openStateFolder(home, process.env, systemRandom);
      await using records = await openRecords({ place: catalog, masterKeys });
      const access = new Access({ catalog: records, clock: systemClock, random: systemRandom });
      if (await access.needsSetup()) say(`${url}/setup#${await access.issueSetupToken()}`);
      else say('There is an administrator already: sign in instead.');
    });
}
