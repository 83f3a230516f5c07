import type { Command } from 'commander';
import { printableOf } from '#base';
import { type Discovered, discoverHost } from '#discovery';
import { isMongoUrl, type MongoPreflight, preflightMongo } from '#sources';
import { CliError } from '../errors.ts';
import { counted, formatSeconds, formatSize, type Output, table } from '../output.ts';
import { action, examples, type Session } from '../session.ts';

interface Options {
  db?: string;
  users: boolean;
}

export function define(command: Command): void {
  command
    .command('test')
    .summary('tell what a backup of a database would find, and which right is missing')
    .description('Looks at a database, changes nothing, and tells what a backup would do.')
    .argument('[url]', 'such as mongodb://db.example.org/ (HOLDFAST_SOURCE_URL)')
    .option('--db <name>', 'only this database', undefined)
    .option('--users', 'users and roles too', false)
    .addHelpText(
      'after',
      examples('holdfast source test mongodb://db.example.org/', 'holdfast source test --db shop --json'),
    )
    .action(action(run));
  command
    .command('discover')
    .summary('tell what runs on this host and could be protected')
    .description(
      'Looks for databases, applications, sites and folders on this host. It changes nothing and logs in nowhere; passwords that it comes across are not told.',
    )
    .option('--port <number...>', 'ask a database here too, whatever program listens', readPorts)
    .addHelpText('after', examples('holdfast source discover', 'holdfast source discover --json'))
    .action(action(discover));
}

interface DiscoverOptions {
  port?: number[];
}

function readPorts(text: string, before: number[] = []): number[] {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new CliError('cli.usage', `"${text}" is no port`, { hint: 'Give a number from 1 to 65535.' });
  return [...before, port];
}

async function discover({ options, output, signal }: Session<DiscoverOptions>): Promise<number> {
  const { found, unseen } = await discoverHost({ signal, alsoPorts: options.port });
  for (const one of found) {
    if (output.isJson) output.object({ message_type: 'found', ...one });
    else tellFound(output, one);
  }
  for (const text of unseen) output.warning(text);
  output.note(`${counted(found.length, 'finding')}; nothing was changed`);
  return 0;
}

function tellFound(
  output: Output,
  { kind, name, where, evidence, suggestion, confidence }: Discovered,
): void {
  const line = (text: string): string => printableOf(Buffer.from(text));
  output.line(`${kind.padEnd(11)}  ${line(name)}${where === name ? '' : `  ${line(where)}`}`);
  const facts = [
    ...evidence,
    ...(confidence === 'certain' ? [] : [`${confidence}, not certain`]),
    ...(suggestion ? [`to protect: ${suggestion}`] : []),
  ];
  for (const fact of facts) output.note(`             ${line(fact)}`);
}

async function run({ options, output }: Session<Options>, given?: string): Promise<number> {
  const url = given ?? process.env.HOLDFAST_SOURCE_URL;
  if (!url || !isMongoUrl(url))
    throw new CliError('cli.usage', 'no URL of a database was given', {
      hint: 'Give one like mongodb://db.example.org/, or set HOLDFAST_SOURCE_URL.',
    });
  const found = await preflightMongo({ url, database: options.db, withUsers: options.users });
  if (output.isJson) output.object({ message_type: 'preflight', ...found });
  else tell(output, found);
  return found.unfitDatabases.length > 0 || (found.missing ?? []).length > 0 ? 1 : 0;
}

function tell(output: Output, found: MongoPreflight): void {
  const { server, databases, consistency, missing, commands, unfitDatabases } = found;
  const set = server.setName ? ` ${server.setName}` : '';
  const compatibility = server.featureCompatibility
    ? `, feature compatibility ${server.featureCompatibility}`
    : '';
  output.note(`MongoDB ${server.version}, ${server.topology}${set}${compatibility}`);
  output.note(`a backup would be ${consistency}`);
  const rows = databases.map(({ name, collections, views, documents, dataBytes }) => [
    name,
    String(collections),
    String(views),
    documents === undefined ? '' : documents.toLocaleString('en'),
    dataBytes === undefined ? '' : formatSize(dataBytes),
  ]);
  for (const line of table(['Database', 'Collections', 'Views', 'Documents', 'Data'], rows))
    output.note(line);
  tellOplog(output, found);
  const { bytes, seconds } = found.foreseen;
  if (bytes > 0)
    output.note(
      `a first backup reads ${formatSize(bytes)} in about ${formatSeconds(seconds)}; less is stored`,
    );
  for (const name of unfitDatabases)
    output.line(`FAILED  the database ${JSON.stringify(name)} cannot be a folder, and would be lost`);
  output.note('not in any dump: search indexes, server parameters, the state of a cluster, database local');
  if (missing === undefined) {
    output.note(
      'rights: the server did not tell; it asks for no login, or does not know. The least, in mongosh:',
    );
    for (const command of [commands.createRole, commands.createUser])
      output.note(`  db.getSiblingDB('admin').runCommand(${JSON.stringify(command)})`);
    return;
  }
  if (missing.length === 0) {
    output.note('rights: nothing is missing');
    return;
  }
  output.line(`FAILED  ${counted(missing.length, 'right')} missing:`);
  for (const { resource, actions } of missing)
    output.line(`        ${actions.join(', ')} on ${JSON.stringify(resource)}`);
  output.line('        hint: Make a user for backups with these commands in mongosh:');
  output.line(`        db.getSiblingDB('admin').runCommand(${JSON.stringify(commands.createRole)})`);
  output.line(`        db.getSiblingDB('admin').runCommand(${JSON.stringify(commands.createUser)})`);
}

function tellOplog(output: Output, { oplog }: MongoPreflight): void {
  if ('absence' in oplog) {
    output.note(`no slices of the oplog: ${oplog.absence}`);
    return;
  }
  const { oldestSeconds, newestSeconds, dumpSeconds, rollsOver, sliceSecondsMax } = oplog;
  output.note(
    `the oplog reaches ${formatSeconds(newestSeconds - oldestSeconds)} back; a dump is reckoned at ${formatSeconds(dumpSeconds)}`,
  );
  output.note(`take slices (--incremental) at least every ${formatSeconds(sliceSecondsMax)}`);
  if (rollsOver)
    output.line(
      'warning: the oplog would roll over before the dump ends: make it larger (replSetResizeOplog)',
    );
}
