import { once } from 'node:events';
import { type Command, Option } from 'commander';
import { archiveOf, type Repository, type StoredSnapshot } from '#repository';
import { tellDamagedIndex } from '../damaged-index.ts';
import { CliError } from '../errors.ts';
import { saveStream } from '../save-stream.ts';
import { action, examples, exitCodePartial, type Session } from '../session.ts';
import {
  addSnapshotOptions,
  filterOf,
  type SnapshotOptions,
  splitSnapshotPath,
} from '../snapshot-options.ts';

interface Options extends SnapshotOptions {
  archive?: 'tar' | 'zip';
  target?: string;
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('<snapshot:path>', 'what is taken out'))
    .addOption(
      new Option('--archive <format>', 'as an archive; a folder is a tar unless told').choices([
        'tar',
        'zip',
      ]),
    )
    .option('-t, --target <file>', 'write to this file and its SHA-256 beside it, not to standard output')
    .addHelpText(
      'after',
      examples(
        'holdfast dump latest:/srv/shop/orders.sql -r /srv/backup > orders.sql',
        'holdfast dump latest:/home/ada -r /srv/backup | tar -xp --xattrs -C /tmp/ada',
        'holdfast dump latest:/home/ada -r /srv/backup --archive zip --target ada.zip',
      ),
    )
    .action(action(run));
}

async function run(session: Session<Options>, text: string): Promise<number> {
  const { options, output, signal } = session;
  const { id, path } = splitSnapshotPath(text);
  if (path === undefined) {
    throw new CliError('cli.usage', 'no path was given', {
      hint: `Put it after a colon: ${id}:/path, or ${id}:/ for everything.`,
    });
  }
  const repository = await session.open();
  await using lock = await repository.lock({ exclusive: false, signal });
  const snapshot = await repository.findSnapshot(id, filterOf(options));
  const damaged = await tellDamagedIndex(repository, output);
  let leftOut = 0;
  const format = options.archive ?? (await naturalFormat(repository, snapshot, path));
  const content =
    format === 'file'
      ? repository.readFile((await repository.findNode(snapshot, path))!, lock.signal)
      : archiveOf(repository, snapshot, path, {
          format,
          onLeftOut: (one) => {
            leftOut++;
            output.problem(one, new Error(`a ${format} cannot hold it`), 'odd');
          },
          signal: lock.signal,
        });
  if (options.target !== undefined) await saveStream(content, options.target);
  else {
    if (format !== 'file') refuseTerminal();
    await writeOut(content);
  }
  return leftOut + damaged > 0 ? exitCodePartial : 0;
}

/** A file comes as it is, a folder as a tar, as restic does it. */
async function naturalFormat(
  repository: Repository,
  snapshot: StoredSnapshot,
  path: string,
): Promise<'file' | 'tar'> {
  const node = await repository.findNode(snapshot, path);
  if (node?.type === 'file') return 'file';
  if (!node || node.type === 'dir') return 'tar';
  throw new CliError('cli.usage', `cannot dump ${path}: it is neither a file nor a folder`, {
    hint: 'Add --archive tar, or restore it with `holdfast restore`.',
  });
}

function refuseTerminal(): void {
  if (!process.stdout.isTTY) return;
  throw new CliError('cli.usage', 'an archive is not written to a terminal', {
    hint: 'Send the output to a file or a program, or give --target FILE.',
  });
}

async function writeOut(content: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const piece of content) {
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  }
}
