import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** One TypeScript file of ours, as the rules see it. */
interface SourceFile {
  /** From the root: `src/storage/local/walk.ts`. */
  path: string;
  /** Without lines that are comments. */
  code: string;
  text: string;
  /** `storage` for a file below src/storage, `main.ts` for src/main.ts; undefined outside of src/. */
  module: string | undefined;
  /** A test, or what only tests use. */
  isTest: boolean;
}

const importOf = /\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g;
const commentLine = /^\s*(\/\/|\/\*|\*).*$/gm;
const timeOrChance =
  /\bDate\.now\b|\bnew Date\(\)|\bset(?:Timeout|Interval)\b|\bMath\.random\b|\bperformance\.now\b|\bhrtime\b/g;
const timeOrChanceFiles = ['src/base/clock.ts', 'src/base/random.ts'];
const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/;
const emptyNames = ['util', 'utils', 'helper', 'helpers', 'common', 'manager', 'misc'];
const reExport = /^export (type )?\{[^}]+\} from '\.\/[^']+';$/;
const faceLinesMax = 40;

/**
 * Breaches of the rules of the tree, as sentences that begin with the file.
 * @param root of a checkout
 * @param mayImport module → modules it may import
 */
export function sourceFaults(root: string, mayImport: Record<string, readonly string[]>): string[] {
  return sourceFiles(root).flatMap((file) => {
    const faults = [...nameFaults(file), ...faceFaults(file), ...timeFaults(file)];
    for (const [, target] of file.code.matchAll(importOf)) {
      const fault = importFault(file, target!, mayImport);
      if (fault) faults.push(fault);
    }
    return faults.map((fault) => `${file.path}: ${fault}`);
  });
}

/** The modules that a tree has: its folders of src/, and its programs. */
export function modulesOf(root: string): string[] {
  return [...new Set(sourceFiles(root).flatMap(({ module }) => module ?? []))];
}

function sourceFiles(root: string): SourceFile[] {
  const paths = globSync('{src,test,bench,scripts}/**/*.ts', { cwd: root }).sort();
  return paths
    .filter((path) => !/\/(generated|assembly|node_modules)\//.test(path) && !path.endsWith('.d.ts'))
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const isTest = !path.startsWith('src/') || path.endsWith('.test.ts') || isForTests(path);
      return { path, text, code: text.replace(commentLine, ''), module: moduleOf(path), isTest };
    });
}

function moduleOf(path: string): string | undefined {
  const [top, module] = path.split('/');
  return top === 'src' ? module : undefined;
}

function isForTests(path: string): boolean {
  return path.includes('/testing/');
}

function importFault(
  file: SourceFile,
  target: string,
  mayImport: Record<string, readonly string[]>,
): string | undefined {
  const isAllowed = (module: string): boolean =>
    file.module === undefined || module === file.module || mayImport[file.module]?.includes(module) === true;
  if (target.startsWith('#')) {
    const module = target.slice(1);
    if (module === file.module) return `'${target}' is its own front door; use a relative path`;
    return isAllowed(module) ? undefined : `${file.module} may not import ${target}`;
  }
  if (!target.startsWith('.')) return undefined;
  const path = normalize(join(dirname(file.path), target));
  const module = moduleOf(path);
  if (isForTests(path) && !file.isTest) return `'${target}' is for tests only`;
  if (module !== undefined && module === file.module) return undefined;
  if (module === undefined && file.isTest) return undefined;
  if (module !== undefined && file.isTest && isForTests(path) && isAllowed(module)) return undefined;
  return `'${target}' leaves the module; use a front door`;
}

function faceFaults({ path, text }: SourceFile): string[] {
  if (!/^src\/[^/]+\/index\.ts$/.test(path)) return [];
  const faults: string[] = [];
  const lines = text.trimEnd().split('\n');
  if (lines.length > faceLinesMax)
    faults.push(`a face of ${lines.length} lines; ${faceLinesMax} are allowed`);
  if (!lines[0]!.startsWith('// ')) faults.push('a face begins with a sentence on what the module is');
  const statements = text
    .replace(commentLine, '')
    .replace(/\s+/g, ' ')
    .split(/(?<=;)/);
  for (const statement of statements.map((part) => part.trim()).filter(Boolean))
    if (!reExport.test(statement)) faults.push(`a face has only named re-exports, not '${statement}'`);
  return faults;
}

function timeFaults({ path, code, isTest }: SourceFile): string[] {
  if (isTest || timeOrChanceFiles.includes(path)) return [];
  const found = [...code.matchAll(timeOrChance)].map(
    ([word]) => `${word} belongs into base/clock.ts or random.ts`,
  );
  return found;
}

function nameFaults({ path }: SourceFile): string[] {
  return path.split('/').flatMap((name) => {
    if (!kebabCase.test(name)) return [`'${name}' is not kebab-case`];
    const empty = name.split(/[-.]/).find((word) => emptyNames.includes(word));
    return empty ? [`'${empty}' says nothing; name it for what it holds`] : [];
  });
}
