import { basename, join } from 'node:path';
import { describeConnection, findConnections, type HiddenConnection } from './connection-strings.ts';
import type { Discovered } from './discovered.ts';
import { type Host, listNames, readText } from './host.ts';
import { readEnvironment } from './processes.ts';

/** An application as its process manager knows it. */
export interface Application {
  name: string;
  runner: 'pm2' | 'systemd';
  folder: string | undefined;
  /** The program, without its arguments. */
  program: string | undefined;
  script: string | undefined;
  /** Processes that run it now. */
  pids: readonly number[];
  evidence: string[];
  /** Paths, whose values are looked at for connection strings only. */
  environmentFiles: readonly string[];
  /** Secrets: only names come out of here. */
  variables: readonly (readonly [name: string, value: unknown])[];
  details: Record<string, string | number | boolean>;
}

const environmentFilesMax = 20;
const processesMax = 20;

/** What may be told of an application. */
export async function describeApplication(host: Host, application: Application): Promise<Discovered> {
  const { name, runner, folder, program, script, pids, details } = application;
  const files = [...new Set([...application.environmentFiles, ...(await dotEnvFiles(host, folder))])];
  const connections = findConnections(application.variables);
  for (const pid of pids.slice(0, processesMax))
    connections.push(...findConnections(await readEnvironment(host, pid)));
  for (const file of files.slice(0, environmentFilesMax))
    connections.push(...findConnections(parseEnvironmentFile((await readText(host, file)) ?? '')));
  const unique = new Map<string, HiddenConnection>(
    connections.map((connection) => [describeConnection(connection), connection]),
  );
  return {
    kind: 'application',
    name,
    where: folder ?? script ?? program ?? name,
    evidence: [
      ...application.evidence,
      ...(pids.length > 0 ? [`it runs as process ${pids.join(', ')}`] : []),
      ...unique.keys(),
    ],
    ...(folder && folder !== '/' && { suggestion: folder }),
    confidence: 'certain',
    details: {
      runner,
      isRunning: pids.length > 0,
      ...(program && { program: basename(program) }),
      ...(script && { script }),
      ...(files.length > 0 && { environmentFiles: files.join(', ') }),
      ...(unique.size > 0 && {
        connections: [...unique.values()].map(({ variable }) => variable).join(', '),
      }),
      ...details,
    },
  };
}

async function dotEnvFiles(host: Host, folder: string | undefined): Promise<string[]> {
  if (!folder) return [];
  const names = (await listNames(host, folder)).filter((name) => /^\.env(\.[\w-]+)?$/.test(name));
  return names.filter((name) => !/example|sample|template/.test(name)).map((name) => join(folder, name));
}

/** `NAME=value` a line, as systemd and dotenv write it. */
export function parseEnvironmentFile(text: string): [name: string, value: string][] {
  return text.split('\n').flatMap((line): [string, string][] => {
    const match = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*(.*)$/.exec(line);
    return match ? [[match[1]!, match[2]!.trim().replace(/^(["'])(.*)\1$/, '$2')]] : [];
  });
}

/** The first argument of an interpreter that is a file of code. */
export function scriptOf(args: readonly string[]): string | undefined {
  return args.find((arg) => /^[^-=][^=]*\.([cm]?[jt]s|py|jar|rb)$/.test(arg));
}
