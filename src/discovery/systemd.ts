import { basename, join } from 'node:path';
import { type Application, parseEnvironmentFile, scriptOf } from './application.ts';
import { type Host, listNames, readText } from './host.ts';
import type { Process } from './processes.ts';

/** Where administrators put units. What the distribution brings (/usr/lib/systemd) is no application of theirs. */
const unitFolders = ['/etc/systemd/system', '/usr/local/lib/systemd/system'];
const interpreters =
  /^(node|nodejs|npm|npx|yarn|pnpm|bun|deno|tsx|ts-node|java|python[\d.]*|gunicorn|uvicorn|ruby|bundle|puma|php[\d.]*|dotnet)$/;

/** Units of systemd that run an application. */
export async function findSystemdApplications(
  host: Host,
  processes: readonly Process[],
  homes: readonly string[],
): Promise<Application[]> {
  const folders = [...unitFolders, ...homes.map((home) => join(home, '.config/systemd/user'))];
  const found: Application[] = [];
  for (const folder of folders)
    for (const unit of await listNames(host, folder)) {
      if (!unit.endsWith('.service')) continue;
      const application = await readUnit(host, folder, unit, processes);
      if (application) found.push(application);
    }
  return found;
}

async function readUnit(
  host: Host,
  folder: string,
  unit: string,
  processes: readonly Process[],
): Promise<Application | undefined> {
  const path = join(folder, unit);
  const text = await readText(host, path);
  if (text === undefined) return undefined;
  const additions = (await listNames(host, `${path}.d`)).filter((name) => name.endsWith('.conf'));
  const more = await Promise.all(additions.map((name) => readText(host, join(`${path}.d`, name))));
  const settings = readService([text, ...more].join('\n'));
  const command = words(settings.get('ExecStart')?.at(-1) ?? '');
  const isEnv = basename(command[0] ?? '') === 'env';
  const args = isEnv ? command.slice(1).filter((word, i) => i > 0 || !/^\w+=/.test(word)) : command;
  const program = (args[0] ?? '').replace(/^[-@:+!]+/, '');
  if (!interpreters.test(basename(program))) return undefined;
  const script = scriptOf(args.slice(1));
  const pids = processes.filter((process) => process.unit === unit).map(({ pid }) => pid);
  const directory = settings.get('WorkingDirectory')?.at(-1)?.replace(/^-/, '');
  const user = settings.get('User')?.at(-1);
  return {
    name: basename(unit, '.service'),
    runner: 'systemd',
    folder: directory?.startsWith('/') ? directory : undefined,
    program,
    script,
    pids,
    evidence: [`the unit ${path} starts ${basename(program)}`],
    environmentFiles: (settings.get('EnvironmentFile') ?? [])
      .map((file) => file.replace(/^-/, ''))
      .filter((file) => file.startsWith('/')),
    variables: (settings.get('Environment') ?? []).flatMap((line) =>
      words(line).flatMap((word) => parseEnvironmentFile(word)),
    ),
    details: { unit, ...(user && { user }) },
  };
}

/** Settings of `[Service]`, in order; an empty one takes back what stood before (systemd.syntax). */
function readService(text: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  let section = '';
  for (const line of text.replace(/\\\n/g, ' ').split('\n')) {
    section = /^\s*\[(\w+)\]/.exec(line)?.[1] ?? section;
    const match = section === 'Service' ? /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) : null;
    if (!match) continue;
    const [, name, value] = match as unknown as [string, string, string];
    settings.set(name, value === '' ? [] : [...(settings.get(name) ?? []), value]);
  }
  return settings;
}

/** Words as systemd splits them, quotes taken away. */
function words(text: string): string[] {
  const found = text.match(/(?:[^\s"']|"(?:\\.|[^"])*"|'[^']*')+/g) ?? [];
  return found.map((word) => word.replace(/"((?:\\.|[^"])*)"|'([^']*)'/g, '$1$2'));
}
