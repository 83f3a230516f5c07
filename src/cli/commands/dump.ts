import { once } from 'node:events';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Command } from 'commander';
import { archiveOf, type Repository, type StoredSnapshot } from '#repository';
import { dumpMongoArchive } from '#workflows';
import { tellDamagedIndex } from '../damaged-index.ts';
import { encryptedFor, parseRecipient, type Recipient } from '../encrypt-to.ts';
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
  archive?: string;
  target?: string;
  gzip: boolean;
  encryptTo?: Recipient[];
}

export function define(command: Command): void {
  addSnapshotOptions(command.argument('<snapshot:path>', 'what is taken out'))
    .option(
      '--archive <format>',
      'as an archive: tar (a folder’s unless told), zip, or mongodump; a file name means mongodump into it',
    )
    .option('-t, --target <file>', 'write to this file and its SHA-256 beside it, not to standard output')
    .option(
      '--gzip',
      'compress it; a mongodump archive for a file that ends in .gz is compressed anyway',
      false,
    )
    .option('--encrypt-to <recipient>', 'for age:age1… or gpg:FINGERPRINT (may be repeated)', parseRecipient)
    .addHelpText(
      'after',
      examples(
        'holdfast dump latest:/srv/shop/orders.sql -r /srv/backup > orders.sql',
        'holdfast dump latest:/home/ada -r /srv/backup | tar -xp --xattrs -C /tmp/ada',
        'holdfast dump latest:/home/ada -r /srv/backup --archive zip --target ada.zip',
        'holdfast dump latest --name shop -r /srv/backup --archive shop.archive.gz',
        'holdfast dump latest --name shop -r /srv/backup --archive shop.gz.age --gzip --encrypt-to age:age1…',
      ),
    )
    .action(action(run));
}

type Format = 'file' | 'tar' | 'zip' | 'mongodump';

async function run(session: Session<Options>, text: string): Promise<number> {
  const { options, output, signal } = session;
  const { id, path } = splitSnapshotPath(text);
  const { archive, target } = targetOf(options);
  if (path === undefined && archive !== 'mongodump') {
    throw new CliError('cli.usage', 'no path was given', {
      hint: `Put it after a colon: ${id}:/path, or ${id}:/ for everything.`,
    });
  }
  const repository = await session.open();
  await using lock = await repository.lock({ exclusive: false, signal });
  const snapshot = await repository.findSnapshot(id, filterOf(options));
  const damaged = await tellDamagedIndex(repository, output);
  let leftOut = 0;
  const leave = (one: string, reason: string, gravity: 'lost' | 'odd'): void => {
    leftOut++;
    output.problem(one, new Error(reason), gravity);
  };
  const format = archive ?? (await naturalFormat(repository, snapshot, path!));
  const content = wrapped(contentOf({ repository, snapshot, path, format, leave, signal: lock.signal }), {
    ...options,
    gzip: options.gzip || (format === 'mongodump' && target?.endsWith('.gz') === true),
  });
  if (target !== undefined) await saveStream(content, target);
  else {
    if (format !== 'file' || options.gzip || options.encryptTo) refuseTerminal();
    await writeOut(content);
  }
  return leftOut + damaged > 0 ? exitCodePartial : 0;
}

/** A file name after --archive is the target of a mongodump archive. */
function targetOf({ archive, target }: Options): { archive?: Exclude<Format, 'file'>; target?: string } {
  if (archive === undefined || archive === 'tar' || archive === 'zip' || archive === 'mongodump')
    return { ...(archive ? { archive } : {}), ...(target === undefined ? {} : { target }) };
  if (target !== undefined)
    throw new CliError('cli.usage', `there is no archive format ${archive}`, {
      hint: 'Give --archive tar, zip or mongodump.',
    });
  return { archive: 'mongodump', target: archive };
}

function contentOf(request: {
  repository: Repository;
  snapshot: StoredSnapshot;
  path: string | undefined;
  format: Format;
  leave(path: string, reason: string, gravity: 'lost' | 'odd'): void;
  signal: AbortSignal;
}): AsyncIterable<Uint8Array> {
  const { repository, snapshot, path = '/', format, leave, signal } = request;
  if (format === 'mongodump') {
    const onLeftOut = (one: string): void => leave(one, 'the backup had lost it', 'lost');
    return dumpMongoArchive(repository, snapshot, { onLeftOut, signal });
  }
  if (format === 'file') return fileOf(repository, snapshot, path, signal);
  const onLeftOut = (one: string): void => leave(one, `a ${format} cannot hold it`, 'odd');
  return archiveOf(repository, snapshot, path, { format, onLeftOut, signal });
}

async function* fileOf(
  repository: Repository,
  snapshot: StoredSnapshot,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  yield* repository.readFile((await repository.findNode(snapshot, path))!, signal);
}

/** Compressed first, then encrypted. */
function wrapped(
  content: AsyncIterable<Uint8Array>,
  { gzip, encryptTo }: Pick<Options, 'gzip' | 'encryptTo'>,
): AsyncIterable<Uint8Array> {
  const plain = gzip ? gzipped(content) : content;
  return encryptTo ? encryptedFor(encryptTo, plain) : plain;
}

function gzipped(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const gzip = createGzip();
  // An error of the content reaches the reader through the destroyed stream.
  return pipeline(Readable.from(content, { objectMode: false }), gzip, () => {});
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
