import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { InvalidArgumentError } from 'commander';
import { messageOf } from '#base';
import { CliError } from './errors.ts';

/** For whom a file that leaves us is encrypted. */
export interface Recipient {
  kind: 'age' | 'gpg';
  /** age: `age1…`; gpg: a key's fingerprint, id or address in the keyring, or a file with the public key. */
  key: string;
}

export function parseRecipient(text: string, before: Recipient[] = []): Recipient[] {
  const [, kind, key] = /^(age|gpg):(.+)$/s.exec(text) ?? [];
  if (!key) throw new InvalidArgumentError('Write it like age:age1… or gpg:FINGERPRINT.');
  if (kind === 'age' && !key.startsWith('age1'))
    throw new InvalidArgumentError('A recipient of age begins with age1; it is public, and no secret key.');
  if (before.some((one) => one.kind !== kind))
    throw new InvalidArgumentError('A file is encrypted by age or by gpg, not by both.');
  return [...before, { kind: kind as Recipient['kind'], key }];
}

/**
 * Encrypts a stream for all of these, who are of one kind.
 * @throws CliError 'cli.encryption'
 */
export function encryptedFor(
  recipients: readonly Recipient[],
  content: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const keys = recipients.map(({ key }) => key);
  return recipients[0]?.kind === 'age' ? encryptedByAge(keys, content) : encryptedByGpg(keys, content);
}

async function* encryptedByAge(
  keys: readonly string[],
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  try {
    for (const key of keys) encrypter.addRecipient(key);
  } catch (cause) {
    throw failed(`age does not take the recipient: ${messageOf(cause)}`, cause);
  }
  yield* await encrypter.encrypt(ReadableStream.from(content));
}

async function* encryptedByGpg(
  keys: readonly string[],
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const args = ['--batch', '--no-tty', '--trust-model', 'always', '--compress-algo', 'none', '--output', '-'];
  const recipients = keys.flatMap((key) => [existsSync(key) ? '--recipient-file' : '--recipient', key]);
  const gpg = spawn('gpg', [...args, ...recipients, '--encrypt'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let words = '';
  gpg.stderr.on('data', (piece) => {
    words = `${words}${piece}`.slice(-2000);
  });
  const ended = once(gpg, 'close').catch((cause) => {
    throw failed(`gpg cannot be run: ${messageOf(cause)}`, cause);
  });
  let lost: { error: unknown } | undefined;
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* content;
    } catch (error) {
      if (!isPipeEnd(error)) lost = { error };
      throw error;
    }
  };
  // When gpg ends early the pipe breaks, and gpg itself says why.
  const fed = pipeline(Readable.from(watched(), { objectMode: false }), gpg.stdin).catch(() => gpg.kill());
  try {
    yield* gpg.stdout;
    const [status] = await ended;
    await fed;
    if (lost) throw lost.error;
    if (status !== 0) throw failed(`gpg failed: ${words.trim()}`);
  } finally {
    gpg.kill();
    await Promise.allSettled([ended, fed]);
  }
}

function isPipeEnd(error: unknown): boolean {
  return ['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR'].includes(
    (error as NodeJS.ErrnoException | undefined)?.code ?? '',
  );
}

function failed(message: string, cause?: unknown): CliError {
  return new CliError('cli.encryption', message, {
    hint: 'Check the recipient; gpg must be installed and know the public key, or be given its file.',
    cause,
  });
}
