import { join } from 'node:path';
import type { Application } from './application.ts';
import { type Host, isFolder, listNames, readText } from './host.ts';
import type { Process } from './processes.ts';

const dumpBytesMax = 8 * 1024 * 1024;
const daemonTitle = /^PM2 v\S+: God Daemon \((.+)\)/;

/** What pm2 wrote of one process; only what is named here is looked at. */
interface Saved {
  name?: unknown;
  pm_exec_path?: unknown;
  pm_cwd?: unknown;
  exec_interpreter?: unknown;
  pm_out_log_path?: unknown;
  env?: unknown;
}

/** Applications under pm2, from its folders: what was saved (`pm2 save`) and what runs. */
export async function findPm2Applications(
  host: Host,
  processes: readonly Process[],
  homes: readonly string[],
): Promise<Application[]> {
  const daemons = processes.flatMap(({ args }) => daemonTitle.exec(args[0] ?? '')?.[1] ?? []);
  const own = host.environment.PM2_HOME;
  const folders = new Set([...daemons, ...(own ? [own] : []), ...homes.map((home) => join(home, '.pm2'))]);
  const found: Application[] = [];
  for (const folder of folders)
    if (await isFolder(host, folder)) found.push(...(await applicationsIn(host, folder, processes)));
  return found;
}

async function applicationsIn(
  host: Host,
  folder: string,
  processes: readonly Process[],
): Promise<Application[]> {
  const running = await runningIn(host, folder, processes);
  const saved = Map.groupBy(await savedIn(host, folder), ({ name }) => String(name));
  const names = new Set([...saved.keys(), ...running.keys()]);
  return [...names].map((name) => {
    const entries = saved.get(name) ?? [];
    const pids = running.get(name) ?? [];
    const [first] = entries;
    const process = processes.find(({ pid }) => pids.includes(pid));
    return {
      name,
      runner: 'pm2',
      folder: textOf(first?.pm_cwd) ?? process?.folder,
      program: textOf(first?.exec_interpreter),
      script: textOf(first?.pm_exec_path),
      pids,
      evidence: [
        first
          ? `${join(folder, 'dump.pm2')} names it`
          : `it runs under ${folder}, but "pm2 save" was not called`,
      ],
      environmentFiles: [],
      variables: entries.flatMap((entry) => [
        ...Object.entries(entry),
        ...Object.entries(typeof entry.env === 'object' && entry.env ? entry.env : {}),
      ]),
      details: {
        pm2Home: folder,
        instances: Math.max(entries.length, pids.length),
        ...(textOf(first?.pm_out_log_path) && { log: textOf(first?.pm_out_log_path)! }),
      },
    };
  });
}

async function savedIn(host: Host, folder: string): Promise<Saved[]> {
  const path = join(folder, 'dump.pm2');
  const text = await readText(host, path, dumpBytesMax);
  if (text === undefined) return [];
  try {
    const entries: unknown = JSON.parse(text);
    if (Array.isArray(entries))
      return entries.filter((entry): entry is Saved => typeof (entry as Saved | null)?.name === 'string');
  } catch {
    // Its error would hold a part of the text.
  }
  host.unseen.add(`${path} is not what pm2 writes`);
  return [];
}

/** Name → processes that live, from files `pids/NAME-ID.pid`. */
async function runningIn(
  host: Host,
  folder: string,
  processes: readonly Process[],
): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const file of await listNames(host, join(folder, 'pids'))) {
    const name = /^(.+)-\d+\.pid$/.exec(file)?.[1];
    const pid = name && Number(await readText(host, join(folder, 'pids', file)));
    if (name && pid && processes.some((process) => process.pid === pid))
      found.set(name, [...(found.get(name) ?? []), pid]);
  }
  return found;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
