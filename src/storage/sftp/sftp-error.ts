import { messageOf, type Retry, systemCodeOf } from '#base';
import { StorageError, type StorageErrorCode } from '../errors.ts';
import type { Hop } from './route.ts';

/** What a server answers instead of a result (draft-ietf-secsh-filexfer-02, 7; from 9 on of later versions). */
export const status = {
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const;

interface Verdict {
  code: StorageErrorCode;
  hint: string;
  retry?: Retry;
}

const full: Verdict = {
  code: 'storage.no-space',
  hint: 'Free some room on the server (or raise the quota), or choose another storage, then start again.',
};
const readOnly: Verdict = {
  code: 'storage.read-only',
  hint: "The server's file system is mounted read-only. Mount it for writing; after a fault look into its system log first.",
};
const badName: Verdict = {
  code: 'storage.name',
  hint: 'The server cannot hold a file of that name here, or a file and a folder share the name.',
};
const lost: Verdict = { code: 'storage.unreachable', hint: 'Check the network and the SSH server.' };
const failed: Verdict = {
  code: 'storage.failed',
  hint: 'SFTP tells no reason. Check whether the disk or the quota of this account is full, and look into the log of the server.',
};

const verdicts: Record<number, Verdict> = {
  [status.noSuchFile]: {
    code: 'storage.not-found',
    hint: 'Check the location; somebody may have removed the file.',
  },
  [status.permissionDenied]: {
    code: 'storage.access-denied',
    hint: 'Give this account the right to read and write this folder on the server. In a chrooted account only folders below the first one can be written, and paths begin there.',
  },
  [status.badMessage]: badName,
  6: lost,
  7: lost,
  [status.unsupported]: {
    code: 'storage.unsupported',
    hint: 'The server forbids or does not know this request; see which ones its configuration allows.',
  },
  12: readOnly,
  14: full,
  15: full,
};

/** What is known beyond the status, which says little. */
export type Finding = 'full' | 'read-only' | undefined;

/** A server's refusal as a StorageError; anything else stays as it is. @param action what could not be done: `write data/ab` */
export function storageErrorOf(
  error: unknown,
  { action, place, finding }: { action: string; place: string; finding?: Finding },
): unknown {
  const number = statusOf(error);
  if (number === undefined) return error;
  const found = finding === 'full' ? full : finding === 'read-only' ? readOnly : undefined;
  const { code, hint, retry } = found ?? verdicts[number] ?? failed;
  const reason = { full: 'no space left', 'read-only': 'the file system is read-only' };
  const why = finding ? reason[finding] : `${messageOf(error).toLowerCase()} (SFTP status ${number})`;
  return new StorageError(code, `cannot ${action} in ${place}: ${why}`, {
    hint,
    ...(retry ? { retry } : {}),
    context: { place, status: number },
    cause: error,
  });
}

/** The status of a refusal; undefined for any other error. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof StorageError) return undefined;
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}

export function hasStatus(error: unknown, ...numbers: readonly number[]): boolean {
  return numbers.includes(statusOf(error) ?? -1);
}

/** Why a login failed. @param tried what was offered to the server */
export function loginErrorOf(error: unknown, { user, host, port }: Hop, tried: string): unknown {
  if (error instanceof StorageError) return error;
  const server = `${host}:${port}`;
  const message = messageOf(error);
  const { level } = error as { level?: string };
  if (level === 'client-authentication' || /authentication failures/i.test(message)) {
    return new StorageError(
      'storage.access-denied',
      `the SSH server ${server} refuses to log in ${user} (${tried})`,
      {
        hint: 'Check the user, the password (HOLDFAST_SFTP_PASSWORD), the key (HOLDFAST_SFTP_KEY_FILE, with HOLDFAST_SFTP_KEY_PASSPHRASE), or the ssh agent.',
        context: { server, user },
        cause: error,
      },
    );
  }
  const isOutdated = level === 'handshake' && /no matching|algorithm/i.test(message);
  return new StorageError(
    'storage.unreachable',
    `cannot reach the SSH server ${server}: ${message}${systemCodeOf(error) && !message.includes(systemCodeOf(error)!) ? ` (${systemCodeOf(error)})` : ''}`,
    {
      hint: isOutdated
        ? 'The server knows only algorithms that are no longer safe. Update it.'
        : 'Check the host, the port, a firewall in between, and whether the SSH server runs.',
      ...(isOutdated ? { retry: 'never' as const } : {}),
      context: { server },
      cause: error,
    },
  );
}
