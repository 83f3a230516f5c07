import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '#base';
import {
  ConfigError,
  type Configuration,
  changesBetween,
  configJsonSchema,
  describeChanges,
  exportConfig,
  itemsOf,
  outlineOf,
  type Reading,
  readConfig,
  readConfigFile,
} from '#config';
import { counted, formatTime, type Output } from '../output.ts';
import { action, examples, type Session } from '../session.ts';
import { stateDirectory } from '../state-directory.ts';

export function define(command: Command): void {
  const fileHelp = 'holdfast.yaml (HOLDFAST_CONFIG, else in this folder, else in the state directory)';
  command
    .command('show')
    .summary('tell what a holdfast.yaml configures, and when its plans run')
    .argument('[file]', fileHelp)
    .addHelpText('after', examples('holdfast config show', 'holdfast config show holdfast.yaml --json'))
    .action(action(show));
  command
    .command('validate')
    .summary('tell what is wrong in a holdfast.yaml, with line and column')
    .argument('[file]', fileHelp)
    .addHelpText('after', examples('holdfast config validate holdfast.yaml'))
    .action(action(validate));
  command
    .command('diff')
    .summary('tell what would be added, changed and removed between two files')
    .argument('<old>', 'what holds now')
    .argument('[new]', fileHelp)
    .addHelpText('after', examples('holdfast config diff yesterday.yaml holdfast.yaml'))
    .action(action(diff));
  command
    .command('export')
    .summary('write a configuration as YAML, secrets as the references that they are')
    .argument('[file]', fileHelp)
    .option('--no-comments', 'in the order of the schema, without comments and anchors')
    .addHelpText('after', examples('holdfast config export > copy.yaml', 'holdfast config export --json'))
    .action(action(exportFile));
  command
    .command('schema')
    .summary('print the JSON Schema of holdfast.yaml, for editors')
    .addHelpText('after', examples('holdfast config schema > holdfast.schema.json'))
    .action(action(schema));
}

async function show({ output }: Session<object>, given?: string): Promise<number> {
  const { path, configuration } = await readWell(given);
  const plans = outlineOf(configuration, { nowMs: systemClock.nowMs() });
  if (output.isJson) {
    output.object({ message_type: 'configuration', file: path, ...configuration, outline: plans });
    return 0;
  }
  const { repositories, sources, channels } = configuration;
  const counts = [
    counted(plans.length, 'plan'),
    counted(Object.keys(sources).length, 'source'),
    counted(Object.keys(repositories).length, 'repository', 'repositories'),
    counted(Object.keys(channels).length, 'channel'),
  ];
  output.line(`${path}: ${counts.join(', ')}`);
  for (const { name, kind, from, to, schedule, nextRuns } of plans) {
    output.line();
    output.line(`${name} (${kind}): ${from.join(', ')} → ${to.join(', ')}`);
    output.line(`  ${schedule}`);
    for (const run of nextRuns) output.line(`  next ${formatTime(BigInt(Date.parse(run)) * 1_000_000n)}`);
  }
  return 0;
}

async function validate({ output }: Session<object>, given?: string): Promise<number> {
  const { path, reading } = await read(given);
  tellFaults(output, path, reading);
  if (reading.faults.length > 0) return 2;
  output.note(`${path} is right`);
  if (output.isJson) output.object({ message_type: 'summary', file: path, faults: 0 });
  return 0;
}

async function diff({ output }: Session<object>, old: string, given?: string): Promise<number> {
  const before = (await readWell(old)).configuration;
  const after = (await readWell(given)).configuration;
  const existing = itemsOf(before).map((item) => ({ ...item, isFromFile: true }));
  const { changes } = changesBetween(existing, after, { nowMs: systemClock.nowMs() });
  if (output.isJson)
    for (const { action, item, fields } of changes)
      output.object({ message_type: 'change', action, section: item.section, name: item.name, fields });
  else for (const line of describeChanges(changes)) output.line(line);
  if (changes.length === 0) output.note('nothing differs');
  return 0;
}

async function exportFile(
  { options, output }: Session<{ comments: boolean }>,
  given?: string,
): Promise<number> {
  const { configuration, text } = await readWell(given);
  if (output.isJson) output.object({ version: 1, ...configuration });
  else output.line(exportConfig(configuration, options.comments ? text : '').trimEnd());
  return 0;
}

async function schema({ output }: Session<object>): Promise<number> {
  output.line(JSON.stringify(configJsonSchema(), null, output.isJson ? 0 : 2));
  return 0;
}

async function read(given: string | undefined): Promise<{ path: string; text: string; reading: Reading }> {
  const path = given ?? defaultPath();
  const text = await readConfigFile(path);
  return { path, text, reading: readConfig(text, { nowMs: systemClock.nowMs() }) };
}

/** @throws ConfigError 'config.invalid' that tells the first fault */
async function readWell(
  given: string | undefined,
): Promise<{ path: string; text: string; configuration: Configuration }> {
  const { path, text, reading } = await read(given);
  if (reading.configuration) return { path, text, configuration: reading.configuration };
  const [first] = reading.faults;
  throw new ConfigError('config.invalid', `${path}:${first!.line}:${first!.column}: ${first!.message}`, {
    hint: `${first!.hint ?? ''} See all with: holdfast config validate ${path}`.trim(),
    context: { faults: reading.faults },
  });
}

function tellFaults(output: Output, path: string, { faults }: Reading): void {
  for (const fault of faults) {
    const { line, column, message, hint } = fault;
    if (output.isJson) output.object({ message_type: 'fault', file: path, ...fault });
    else output.line(`${path}:${line}:${column}: ${fault.path ? `${fault.path}: ` : ''}${message}`);
    if (hint && !output.isJson) output.line(`    hint: ${hint}`);
  }
}

function defaultPath(): string {
  if (process.env.HOLDFAST_CONFIG) return process.env.HOLDFAST_CONFIG;
  const here = 'holdfast.yaml';
  return existsSync(here) ? here : join(stateDirectory(process.env), here);
}
