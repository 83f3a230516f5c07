import type { Command } from 'commander';
import { addKey, changePassword, listKeys, removeKey } from '#repository';
import { formatTime, table } from '../output.ts';
import { readPassword } from '../password.ts';
import { action, examples, type Session } from '../session.ts';
import { isoTime } from '../snapshot-json.ts';

interface NewKeyOptions {
  newPasswordFile?: string;
  user?: string;
  host?: string;
}

export function define(command: Command): void {
  command.addHelpText(
    'after',
    examples(
      'holdfast key list -r /srv/backup',
      'holdfast key add -r /srv/backup --new-password-file FILE',
      'holdfast key passwd -r /srv/backup',
      'holdfast key remove 1f3ac2d0 -r /srv/backup',
    ),
  );
  command.command('list').summary('list the keys').description('Lists the keys.').action(action(list));
  const add = command.command('add').summary('add a password').description('Adds a password.');
  addNewKeyOptions(add).action(action(addOne));
  const passwd = command.command('passwd').summary('change the password in use');
  addNewKeyOptions(passwd.description('Changes the password in use.')).action(action(change));
  command
    .command('remove')
    .summary('remove a password')
    .description(
      'Removes a key: its password opens the repository no more. Who has copied the master key keeps it.',
    )
    .argument('<id>', 'of the key, or the beginning of it')
    .action(action(remove));
  for (const sub of command.commands) sub.copyInheritedSettings(command);
}

function addNewKeyOptions(command: Command): Command {
  return command
    .option('--new-password-file <file>', 'file with the new password (or HOLDFAST_NEW_PASSWORD)')
    .option('--user <name>', 'user that stands in the key file')
    .option('--host <name>', 'host that stands in the key file');
}

async function list({ output, open }: Session<object>): Promise<number> {
  const repository = await open();
  await using _lock = await repository.lock({ exclusive: false });
  const keys = await listKeys(repository.storage);
  const inUse = repository.key.id;
  if (output.isJson) {
    output.object(
      keys.map(({ id, file }) => ({
        current: id === inUse,
        id: id.slice(0, 8),
        userName: file?.username,
        hostName: file?.hostname,
        created: file && isoTime(BigInt(file.createdAtMs) * 1_000_000n),
        damaged: file === undefined,
      })),
    );
    return 0;
  }
  const rows = keys.map(({ id, file }) => [
    `${id === inUse ? '*' : ' '}${id.slice(0, 8)}`,
    file?.username ?? '(damaged)',
    file?.hostname ?? '',
    file ? formatTime(BigInt(file.createdAtMs) * 1_000_000n) : '',
  ]);
  for (const line of table([' ID', 'User', 'Host', 'Made'], rows)) output.line(line);
  return 0;
}

async function addOne(session: Session<NewKeyOptions>): Promise<number> {
  const repository = await session.open();
  const id = await addKey(repository, await newKeyOf(session));
  tell(session, 'added', id);
  return 0;
}

async function change(session: Session<NewKeyOptions>): Promise<number> {
  const repository = await session.open();
  const id = await changePassword(repository, await newKeyOf(session));
  tell(session, 'changed', id);
  return 0;
}

async function remove(session: Session<object>, id: string): Promise<number> {
  const repository = await session.open();
  const removed = await removeKey(repository, id, { signal: session.signal });
  tell(session, 'removed', removed.id);
  return 0;
}

function tell({ output }: Session<object>, what: string, id: string): void {
  if (output.isJson) output.object({ message_type: `key_${what}`, id });
  else output.note(`${what} key ${id.slice(0, 8)}`);
}

async function newKeyOf({ options, signal }: Session<NewKeyOptions>) {
  const fresh = process.env.HOLDFAST_NEW_PASSWORD;
  const password = await readPassword(
    options.newPasswordFile === undefined ? {} : { passwordFile: options.newPasswordFile },
    fresh === undefined ? {} : { HOLDFAST_PASSWORD: fresh },
    { isNew: true },
  );
  return { password, username: options.user, hostname: options.host, signal };
}
