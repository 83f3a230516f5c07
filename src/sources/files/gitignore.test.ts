import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { seededRandom } from '#base';
import { filesSource } from './files-source.ts';

let tree: string;
const files = [
  'a',
  'b.txt',
  'foo',
  'foo bar',
  'trailing ',
  'trailing\\ ',
  '#hash',
  '!bang',
  'x[y]',
  'ab]',
  'a-b',
  'back\\slash',
  'ünï',
  'UPPER.TXT',
  'd/a',
  'd/b.txt',
  'd/foo/a',
  'd/foo/b.txt',
  'd/e/f/foo',
  'd/e/f/b.txt',
  'd/e/build/out',
  'build/out',
  'build/keep/a',
  'build/keep/b.txt',
  'a1/b/c/d',
  'abc/x/d',
  'tab\t',
  '.dot',
];

before(() => {
  tree = mkdtempSync(join(tmpdir(), 'holdfast-ignore-'));
  git('init', '-q');
  for (const name of files) {
    mkdirSync(join(tree, name, '..'), { recursive: true });
    writeFileSync(join(tree, name), '');
  }
  writeFileSync(Buffer.from(`${tree}/\xff\xfe`, 'latin1'), '');
  symlinkSync('d', join(tree, 'link'));
});
after(() => rmSync(tree, { recursive: true, force: true }));

function git(...args: string[]): string {
  const options = ['-c', 'core.excludesFile=/dev/null', '-C', tree];
  return execFileSync('git', [...options, ...args], { encoding: 'latin1' });
}

/** What git would add. */
function keptByGit(): string[] {
  return git('ls-files', '--others', '--exclude-standard', '-z').split('\0').slice(0, -1).sort();
}

async function keptByUs(): Promise<string[]> {
  const source = filesSource({ paths: [tree], ignoreFiles: ['.gitignore'], excludes: [`${tree}/.git`] });
  const kept: string[] = [];
  for await (const event of source.read(new AbortController().signal)) {
    if (event.kind === 'problem') throw event.problem.error;
    if (event.kind !== 'entry' || event.attributes.type === 'dir') continue;
    const path = `/${event.path.map((name) => Buffer.from(name).toString('latin1')).join('/')}`;
    kept.push(path.slice(tree.length + 1));
  }
  return kept.sort();
}

/** Writes ignore files, compares, and takes them away again. */
async function compare(ignoreFiles: Record<string, string | Buffer>): Promise<void> {
  for (const [folder, content] of Object.entries(ignoreFiles))
    writeFileSync(join(tree, folder, '.gitignore'), content);
  try {
    assert.deepEqual(await keptByUs(), keptByGit(), JSON.stringify(ignoreFiles));
  } finally {
    for (const folder of Object.keys(ignoreFiles)) rmSync(join(tree, folder, '.gitignore'));
  }
}

const cases: Record<string, string>[] = [
  { '': 'a' },
  { '': '/a' },
  { '': 'a/' },
  { '': 'd/a' },
  { '': 'd/' },
  { '': 'd/*\n!d/e' },
  { '': 'd\n!d/a' },
  { '': 'foo/' },
  { '': '/foo/' },
  { '': '**/foo' },
  { '': 'd/**' },
  { '': 'd/**/b.txt' },
  { '': 'd/**/foo/a' },
  { '': '**/b.txt' },
  { '': '/**/b.txt' },
  { '': '**' },
  { '': '**/' },
  { '': '/' },
  { '': '*' },
  { '': '*\n!*.txt' },
  { '': '*\n!*/\n!*.txt' },
  { '': '/*\n!/d' },
  { '': 'a**d' },
  { '': 'a*/**d' },
  { '': 'a1/**/d' },
  { '': 'link/' },
  { '': 'link' },
  { '': '#hash' },
  { '': '\\#hash' },
  { '': '\\!bang' },
  { '': 'trailing ' },
  { '': 'trailing\\ ' },
  { '': 'trailing\\ \\ ' },
  { '': 'trailing\\\\ ' },
  { '': 'trailing\\\\\\ ' },
  { '': 'trailing\\\\\\  ' },
  { '': 'tab\t' },
  { '': 'tab\t ' },
  { '': 'foo\\ bar' },
  { '': 'foo?bar' },
  { '': 'x[y]' },
  { '': 'x\\[y\\]' },
  { '': 'x[[]y[]]' },
  { '': 'ab[]]' },
  { '': 'ab[^]]' },
  { '': 'a[!a]b' },
  { '': 'a[a-]b' },
  { '': 'a[--0]b' },
  { '': '[a-' },
  { '': 'x[y' },
  { '': '[[:alpha:]]' },
  { '': '[[:upper:]]*' },
  { '': '[![:alpha:]]*' },
  { '': '[[:nonsense:]]' },
  { '': 'a[[:punct:]]b' },
  { '': 'back\\\\slash' },
  { '': 'back\\slash' },
  { '': 'a\\' },
  { '': 'ünï' },
  { '': 'ün??' },
  { '': 'ün?' },
  { '': 'upper.txt' },
  { '': '.*' },
  { '': 'a\r\nfoo\r\n' },
  { '': 'a\r' },
  { '': '\ufeffa' },
  { '': '!' },
  { '': '!!bang' },
  { '': '/d/e//f' },
  { '': 'd//a' },
  { '': './a' },
  { '': 'd/../a' },
  { '': '*.txt', d: '!b.txt' },
  { '': '*.txt', d: '!/b.txt' },
  { d: '/a\nfoo/*\n!foo/b.txt' },
  { '': '!d/a', d: 'a' },
  { '': 'd/e/', 'd/e': '!*' },
  { build: '*\n!keep', 'build/keep': 'a' },
  { '': 'd/**/*\n!d/**/b.txt\n!d/**/' },
  { '': '.gitignore' },
];

for (const ignoreFiles of cases)
  test(`keeps what git keeps: ${JSON.stringify(ignoreFiles)}`, () => compare(ignoreFiles));

test('takes ** inside a name for a *, as gitignore(5) says and git, after a literal beginning, does not', async () => {
  writeFileSync(join(tree, '.gitignore'), 'a**/d');
  try {
    assert((await keptByUs()).includes('a1/b/c/d'));
    assert(!keptByGit().includes('a1/b/c/d'));
  } finally {
    rmSync(join(tree, '.gitignore'));
  }
});

test('reads bytes that are not UTF-8', async () => {
  await compare({ '': Buffer.from([0xff, 0xfe]) });
  await compare({ '': Buffer.from([0xff, 0x3f]) });
});

test('does not follow an ignore file that is a link', async () => {
  writeFileSync(join(tree, 'rules'), '*.txt\n');
  symlinkSync('rules', join(tree, '.gitignore'));
  try {
    assert.deepEqual(await keptByUs(), keptByGit());
  } finally {
    for (const name of ['rules', '.gitignore']) rmSync(join(tree, name));
  }
});

test('keeps what git keeps for any rules', async () => {
  const seed = Number(process.env.HOLDFAST_SEED ?? 1);
  const random = seededRandom(seed);
  const parts = [
    'a',
    'b',
    'd',
    'e',
    'foo',
    'build',
    'keep',
    '.txt',
    '*',
    '**',
    '?',
    '/',
    '/',
    '/',
    '!',
    '\\',
    '[a-d]',
    ' ',
  ];
  for (let i = 0; i < 150; i++) {
    const rule = () =>
      Array.from({ length: 1 + random.below(5) }, () => parts[random.below(parts.length)]).join('');
    const rules = () => Array.from({ length: 1 + random.below(4) }, rule).join('\n');
    await compare(random.below(2) ? { '': rules() } : { '': rules(), d: rules(), build: rules() });
  }
});
