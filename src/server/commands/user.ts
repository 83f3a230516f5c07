import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { User } from '#contract';
import { ServerError } from '../errors.ts';
import { apiCommand } from './api-client.ts';
import type { CommandSurroundings } from './serve.ts';

export function defineUser(command: Command, surroundings: () => CommandSurroundings): void {
  command.description('Who may sign in: at a server (with a token for admin), or in the state directory.');
  const { isJson, withApi } = apiCommand(command, surroundings);

  command
    .command('list')
    .summary('list users and their roles')
    .action(() =>
      withApi(async (api, { say, table }) => {
        const { items } = await api.ask<{ items: User[] }>('GET', '/users');
        if (isJson()) for (const user of items) say(JSON.stringify(user));
        else for (const line of table(['user', 'role', 'last seen'], items.map(rowOf))) say(line);
      }),
    );
  command
    .command('add <name>')
    .summary('add a user; the password comes from standard input')
    .requiredOption('--role <role>', 'viewer, operator, editor or admin')
    .action((username: string, { role }: { role: string }) =>
      withApi(async (api, { say }) => {
        const user = await api.ask<User>('POST', '/users', { username, role, password: givenPassword() });
        say(isJson() ? JSON.stringify(user) : `added ${user.username} as ${user.role}`);
      }),
    );
  command
    .command('passwd <name>')
    .summary('set a new password, from standard input; the user is signed out everywhere')
    .action((username: string) =>
      withApi(async (api) => {
        const { items } = await api.ask<{ items: User[] }>('GET', '/users');
        const user = items.find((each) => each.username === username);
        if (!user)
          throw new ServerError('server.not-found', `there is no user ${username}`, {
            hint: 'See them with: holdfast user list',
          });
        await api.ask('PATCH', `/users/${user.id}`, { password: givenPassword() });
      }),
    );
}

/** Never an argument: everybody on the machine sees those. */
function givenPassword(): string {
  return readFileSync(0, 'utf8').replace(/\r?\n$/, '');
}

function rowOf({ username, role, isDisabled, lastSeenAt }: User): string[] {
  return [username, isDisabled ? `${role}, disabled` : role, lastSeenAt ?? 'never'];
}
