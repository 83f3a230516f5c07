import { type Host, readProc } from './host.ts';
import { listOpenFiles, type Process } from './processes.ts';

/** A TCP socket that listens, and whose it is as far as we may see. */
export interface Listener {
  address: string;
  port: number;
  process: Process | undefined;
}

const listening = '0A';

/** @returns sockets of this network namespace, each once */
export async function listListeners(host: Host, processes: readonly Process[]): Promise<Listener[]> {
  const tables = await Promise.all(['net/tcp', 'net/tcp6'].map((path) => readProc(host, path)));
  const rows = tables.flatMap((table) => (table === undefined ? [] : table.split('\n').slice(1)));
  const sockets = rows.flatMap((row) => {
    const [, local, , state, , , , , , inode] = row.trim().split(/\s+/);
    return state === listening && local && inode ? [{ ...parseAddress(local), inode }] : [];
  });
  const owners = await ownersOf(host, processes, new Set(sockets.map(({ inode }) => inode)));
  if (sockets.some(({ inode }) => !owners.has(inode)))
    host.unseen.add(
      'some listening sockets belong to processes of others: run as root to see whose they are',
    );
  return sockets.map(({ address, port, inode }) => ({ address, port, process: owners.get(inode) }));
}

/** The oldest process that holds a socket: servers hand theirs to children. */
async function ownersOf(
  host: Host,
  processes: readonly Process[],
  inodes: ReadonlySet<string>,
): Promise<Map<string, Process>> {
  const owners = new Map<string, Process>();
  for (const process of processes) {
    host.signal?.throwIfAborted();
    for (const link of (await listOpenFiles(host, process.pid)) ?? []) {
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      if (inode && inodes.has(inode) && !owners.has(inode)) owners.set(inode, process);
    }
  }
  return owners;
}

/** `0100007F:1F90`: words of 32 bits in the machine's order (little endian on every machine we run on), then the port. */
function parseAddress(text: string): { address: string; port: number } {
  const [hex, port] = text.split(':') as [string, string];
  const bytes = Buffer.from(hex, 'hex');
  bytes.swap32();
  return { address: addressOf(bytes), port: Number.parseInt(port, 16) };
}

function addressOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const hex = bytes.toString('hex');
  // Java and others listen on IPv4 so.
  if (/^0{20}ffff/.test(hex)) return bytes.subarray(12).join('.');
  return new URL(`http://[${hex.match(/.{4}/g)!.join(':')}]/`).hostname.slice(1, -1);
}
