import { type Host, listProc, readProc, readProcLink } from './host.ts';

export interface Process {
  pid: number;
  /** At most 15 bytes, as the kernel keeps it. */
  name: string;
  /** May hold secrets: nothing of them goes into a finding but paths of programs and scripts. */
  args: readonly string[];
  /** undefined: it belongs to somebody else, and we are not root. */
  folder: string | undefined;
  /** `shop.service`, where systemd started it. */
  unit: string | undefined;
}

const processesMax = 10_000;
const openFilesMax = 4096;
const atOnce = 32;

export async function listProcesses(host: Host): Promise<Process[]> {
  const pids = ((await listProc(host, '')) ?? []).filter((name) => /^\d+$/.test(name)).map(Number);
  if (pids.length > processesMax) host.unseen.add(`more than ${processesMax} processes run`);
  const processes = await inGroups(pids.slice(0, processesMax), async (pid) => readProcess(host, pid));
  return processes.filter((process) => process !== undefined);
}

async function readProcess(host: Host, pid: number): Promise<Process | undefined> {
  host.signal?.throwIfAborted();
  const [name, command, folder, group] = await Promise.all([
    readProc(host, `${pid}/comm`),
    readProc(host, `${pid}/cmdline`),
    readProcLink(host, `${pid}/cwd`),
    readProc(host, `${pid}/cgroup`),
  ]);
  // Threads of the kernel have no command line.
  if (name === undefined || !command) return undefined;
  const args = command.replace(/\0+$/, '').split('\0');
  return { pid, name: name.trimEnd(), args, folder, unit: /\/([^/\n]+\.service)/.exec(group ?? '')?.[1] };
}

/** What a process has open, as the kernel writes it: `/path`, `socket:[123]`. Undefined: it is not ours to see. */
export async function listOpenFiles(host: Host, pid: number): Promise<string[] | undefined> {
  const names = await listProc(host, `${pid}/fd`);
  const links = await inGroups(names?.slice(0, openFilesMax) ?? [], (name) =>
    readProcLink(host, `${pid}/fd/${name}`),
  );
  return names && links.filter((link) => link !== undefined);
}

/** Variables of a process: secrets. None where it is somebody else's. */
export async function readEnvironment(host: Host, pid: number): Promise<[name: string, value: string][]> {
  const text = (await readProc(host, `${pid}/environ`)) ?? '';
  return text.split('\0').flatMap((entry): [string, string][] => {
    const end = entry.indexOf('=');
    return end > 0 ? [[entry.slice(0, end), entry.slice(end + 1)]] : [];
  });
}

async function inGroups<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += atOnce)
    results.push(...(await Promise.all(items.slice(i, i + atOnce).map(work))));
  return results;
}
