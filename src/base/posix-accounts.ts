import { readFileSync } from 'node:fs';
import type { Libc } from './native.ts';

/** Names of owners; empty when unknown. Each is looked up once. */
export interface Accounts {
  userName(uid: number): string;
  groupName(gid: number): string;
}

const scratchSize = 64 * 1024;

/** As the system knows them, LDAP and the like included (getpwuid_r, getgrgid_r). */
export function systemAccounts(libc: Libc): Accounts {
  // struct passwd and struct group both begin with a pointer to the name, on every 64-bit Linux.
  const scratch = new Uint8Array(new ArrayBuffer(scratchSize));
  const words = new BigUint64Array(scratch.buffer);
  const record = libc.addressOf(scratch);
  const found = record + 128n;
  const text = record + 256n;
  const lookUp = (call: Libc['getpwuid_r']) => (id: number) => {
    words[16] = 0n;
    const failed = call(id, record, text, BigInt(scratchSize - 256), found);
    return failed || words[16] === 0n ? '' : libc.textAt(words[0]!);
  };
  return cached(lookUp(libc.getpwuid_r), lookUp(libc.getgrgid_r));
}

/** Those of /etc/passwd and /etc/group only. */
export function fileAccounts(): Accounts {
  const lookUp = (path: string) => {
    let names: Map<number, string> | undefined;
    return (id: number) => {
      names ??= namesIn(path);
      return names.get(id) ?? '';
    };
  };
  return cached(lookUp('/etc/passwd'), lookUp('/etc/group'));
}

function cached(user: (uid: number) => string, group: (gid: number) => string): Accounts {
  const remember = (lookUp: (id: number) => string) => {
    const known = new Map<number, string>();
    return (id: number) => {
      let name = known.get(id);
      if (name === undefined) {
        name = lookUp(id);
        known.set(id, name);
      }
      return name;
    };
  };
  return { userName: remember(user), groupName: remember(group) };
}

/** Lines are `name:password:id:…` in both files; the first line of an id wins, as in libc. */
function namesIn(path: string): Map<number, string> {
  const names = new Map<number, string>();
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // A container without the file knows no names.
  }
  for (const line of text.split('\n')) {
    const [name, , id] = line.split(':');
    if (name && id && /^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
