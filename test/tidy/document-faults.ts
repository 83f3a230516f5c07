import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const linesMax = 150;
const linkTarget = /\]\(([^)\s]+)\)/g;
const decisionReference = /docs\/decisions\/(\d{4})/g;

/** What does not hold of the pages, package.json and the lockfile of a checkout, as sentences that begin with the file. */
export function documentFaults(root: string, mayImport: Record<string, readonly string[]>): string[] {
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  return [
    ...['README.md', 'ARCHITECTURE.md'].flatMap((path) => lengthFaults(path, read(path))),
    ...tableFaults(read('ARCHITECTURE.md'), mayImport),
    ...doorFaults(JSON.parse(read('package.json')), mayImport),
    ...dependencyFaults(JSON.parse(read('package.json')), read('docs/decisions/dependencies.md')),
    ...lockFaults(JSON.parse(read('package-lock.json'))),
    ...linkFaults(root),
    ...decisionFaults(root),
  ];
}

function lengthFaults(path: string, text: string): string[] {
  const { length } = text.trimEnd().split('\n');
  return length > linesMax ? [`${path}: ${length} lines; ${linesMax} are allowed`] : [];
}

/** The rows `| module | may import |` of the page's table, against the table that the test keeps. */
function tableFaults(page: string, mayImport: Record<string, readonly string[]>): string[] {
  const rows = [...page.matchAll(/^\| `([a-z.]+)` *\| ([^|]*) \|/gm)];
  const written = rows.map(([, module, allowed]) => `${module}: ${allowed!.trim().replace('–', '')}`);
  const wanted = Object.entries(mayImport).map(([module, allowed]) => `${module}: ${allowed.join(', ')}`);
  if (written.join('\n') === wanted.join('\n')) return [];
  const missing = wanted.filter((row) => !written.includes(row)).map((row) => `has no row '${row}'`);
  const foreign = written.filter((row) => !wanted.includes(row)).map((row) => `has a wrong row '${row}'`);
  const differences = [...missing, ...foreign];
  if (differences.length === 0) differences.push('has the rows in another order');
  return differences.map((difference) => `ARCHITECTURE.md: the module table ${difference}`);
}

interface Package {
  imports?: Record<string, unknown>;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

function doorFaults({ imports = {} }: Package, mayImport: Record<string, readonly string[]>): string[] {
  const folders = Object.keys(mayImport).filter((module) => !module.endsWith('.ts'));
  const missing = folders.filter((module) => !imports[`#${module}`]).map((module) => `#${module} is missing`);
  const wrong = Object.entries(imports).filter(([door, target]) => {
    const module = door.slice(1);
    const wanted = { src: `./src/${module}/index.ts`, default: `./dist/${module}/index.js` };
    return !folders.includes(module) || JSON.stringify(target) !== JSON.stringify(wanted);
  });
  return [...missing, ...wrong.map(([door]) => `${door} is wrong`)].map(
    (fault) => `package.json: door ${fault}`,
  );
}

function dependencyFaults(manifest: Package, page: string): string[] {
  const { dependencies, optionalDependencies, devDependencies } = manifest;
  const used = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies });
  const explained = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name!);
  return [
    ...used.filter((name) => !explained.includes(name)).map((name) => `no line on ${name}`),
    ...explained.filter((name) => !used.includes(name)).map((name) => `a line on ${name}, which nobody uses`),
  ].map((fault) => `docs/decisions/dependencies.md: ${fault}`);
}

function lockFaults({
  packages,
}: {
  packages: Record<string, { resolved?: string; integrity?: string }>;
}): string[] {
  return Object.entries(packages).flatMap(([path, { resolved, integrity }]) => {
    if (path === '') return [];
    if (resolved !== undefined) return [`package-lock.json: ${path} names the registry it came from`];
    return integrity === undefined ? [`package-lock.json: ${path} has no integrity`] : [];
  });
}

function pagesOf(root: string): string[] {
  return globSync(['*.md', '{docs,changes}/**/*.md'], { cwd: root }).sort();
}

function linkFaults(root: string): string[] {
  return pagesOf(root).flatMap((path) => {
    const links = [...readFileSync(join(root, path), 'utf8').matchAll(linkTarget)].map(
      ([, target]) => target!,
    );
    return links
      .filter((link) => !/^(https?:|mailto:|#)/.test(link))
      .filter((link) => !existsSync(join(root, dirname(path), link.split('#')[0]!)))
      .map((link) => `${path}: there is no ${link}`);
  });
}

/** A decision that code or a page refers to must exist, and a number names one decision. */
function decisionFaults(root: string): string[] {
  const numbers = globSync('docs/decisions/[0-9]*.md', { cwd: root }).map((path) =>
    path.split('/')[2]!.slice(0, 4),
  );
  const twice = numbers.filter((number, i) => numbers.indexOf(number) !== i);
  const paths = [...pagesOf(root), ...globSync('{src,scripts,bench}/**/*.ts', { cwd: root }).sort()];
  const dangling = paths.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(decisionReference)]
      .filter(([, number]) => !numbers.includes(number!))
      .map(([reference]) => `${path}: there is no ${reference}`),
  );
  return [...twice.map((number) => `docs/decisions: number ${number} is used twice`), ...dangling];
}
