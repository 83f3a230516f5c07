import { posix } from 'node:path';
import { compileGlob } from '#base';
import type { Discovered } from './discovered.ts';
import { type Host, listNames, readText } from './host.ts';
import type { Process } from './processes.ts';

/** One directive: its words, and what stands between its braces. */
interface Directive {
  words: string[];
  block: Directive[] | undefined;
  file: string;
}

const filesMax = 500;
const depthMax = 20;

/** Sites of nginx, from its configuration and all that it includes. */
export async function findSites(host: Host, processes: readonly Process[]): Promise<Discovered[]> {
  const found = new Map<string, Discovered>();
  for (const path of configurations(processes)) {
    const state = { host, prefix: posix.dirname(path), fileCount: 0 };
    const top = await readFile(state, path, 0);
    for (const server of top.flatMap((directive) => serversIn(directive))) {
      const site = describeSite(server);
      found.set(`${site.name} ${site.where}`, site);
    }
  }
  return [...found.values()];
}

function configurations(processes: readonly Process[]): Set<string> {
  const running = processes.flatMap(({ args }) => {
    const [title] = args;
    const given = title?.startsWith('nginx: master process') ? /\s-c\s*(\/\S+)/.exec(title)?.[1] : undefined;
    return given ?? [];
  });
  return new Set(['/etc/nginx/nginx.conf', ...running]);
}

interface Reading {
  host: Host;
  prefix: string;
  fileCount: number;
}

async function readFile(state: Reading, path: string, depth: number): Promise<Directive[]> {
  if (++state.fileCount > filesMax || depth > depthMax) {
    state.host.unseen.add(`${path} and more files of nginx were not read: there are too many`);
    return [];
  }
  const text = await readText(state.host, path);
  return text === undefined ? [] : withIncludes(state, parse(text, path), depth);
}

async function withIncludes(
  state: Reading,
  directives: readonly Directive[],
  depth: number,
): Promise<Directive[]> {
  const all: Directive[] = [];
  for (const directive of directives) {
    const [name, pattern] = directive.words;
    if (name === 'include' && pattern)
      for (const path of await expand(state, pattern)) all.push(...(await readFile(state, path, depth + 1)));
    else if (directive.block)
      all.push({ ...directive, block: await withIncludes(state, directive.block, depth) });
    else all.push(directive);
  }
  return all;
}

async function expand({ host, prefix }: Reading, pattern: string): Promise<string[]> {
  const path = posix.resolve(prefix, pattern);
  if (!/[*?[]/.test(path)) return [path];
  const [folder, last] = [posix.dirname(path), posix.basename(path)];
  const matches = compileGlob(last, 'git');
  if (!matches) return [];
  return (await listNames(host, folder))
    .filter((name) => matches(name))
    .map((name) => posix.join(folder, name));
}

/** @returns what can be understood; a brace too many or too few ends it */
function parse(text: string, file: string): Directive[] {
  const tokens = text.match(/#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[;{}]|[^\s;{}"'#]+/g) ?? [];
  const top: Directive[] = [];
  const open = [top];
  let words: string[] = [];
  for (const token of tokens) {
    if (token.startsWith('#')) continue;
    const level = open.at(-1)!;
    if (token === ';') level.push({ words, block: undefined, file });
    else if (token === '{') {
      const block: Directive[] = [];
      level.push({ words, block, file });
      open.push(block);
    } else if (token === '}') {
      if (open.length === 1) return top;
      open.pop();
    } else {
      words.push(token.replace(/^(["'])(.*)\1$/s, '$2'));
      continue;
    }
    words = [];
  }
  return top;
}

function serversIn(directive: Directive): Directive[] {
  if (directive.words[0] === 'server' && directive.words.length === 1 && directive.block) return [directive];
  return (directive.block ?? []).flatMap((inner) => serversIn(inner));
}

function describeSite({ block = [], file }: Directive): Discovered {
  const values = (name: string): string[][] =>
    block.filter(({ words }) => words[0] === name).map(({ words }) => words.slice(1));
  const names = values('server_name')
    .flat()
    .filter((name) => name !== '_' && name !== '');
  const roots = valuesBelow(block, ['root', 'alias']);
  const targets = valuesBelow(block, ['proxy_pass', 'fastcgi_pass', 'uwsgi_pass', 'grpc_pass']).map(
    withoutLogin,
  );
  const listens = values('listen').map(([address]) => address ?? '');
  const [root] = roots;
  return {
    kind: 'site',
    name: names[0] ?? `default site of ${posix.basename(file)}`,
    where: root ?? targets[0] ?? file,
    evidence: [
      `${file} has a server for ${names.join(', ') || 'every other name'}`,
      ...roots.map((path) => `it serves files of ${path}`),
      ...targets.map((target) => `it passes requests to ${target}`),
    ],
    ...(root?.startsWith('/') && !root.includes('$') && { suggestion: root }),
    confidence: 'certain',
    details: {
      file,
      ...(names.length > 0 && { serverNames: names.join(', ') }),
      ...(listens.length > 0 && { listens: listens.join(', ') }),
      ...(roots.length > 0 && { roots: roots.join(', ') }),
      ...(targets.length > 0 && { passesTo: targets.join(', ') }),
    },
  };
}

function valuesBelow(directives: readonly Directive[], names: readonly string[]): string[] {
  const found = directives.flatMap(({ words, block }) => [
    ...(names.includes(words[0]!) && words[1] ? [words[1]] : []),
    ...(block ? valuesBelow(block, names) : []),
  ]);
  return [...new Set(found)];
}

function withoutLogin(target: string): string {
  return target.replace(/^([a-z]+:\/\/)[^/]*@/, '$1');
}
