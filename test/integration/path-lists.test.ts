import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { initRepository } from '#repository';
import { filesSource, type PathListForm, parsePathList } from '#sources';
import { Restic } from '../servers/restic.ts';

const password = 'lists';
let folder: string;
let tree: string;
let restic: Restic;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-lists-'));
  tree = join(folder, 'tree');
  for (const name of [
    'a/x',
    'b/y',
    'b/x',
    'c',
    'à',
    'star*name',
    '*',
    '[z]',
    'new\nline',
    ' blank ',
    '#hash',
    '日本/x',
  ]) {
    mkdirSync(join(tree, name, '..'), { recursive: true });
    writeFileSync(join(tree, name), name);
  }
  writeFileSync(Buffer.from(`${tree}/\xff\xa0`, 'latin1'), 'x');
  symlinkSync('absent', join(tree, 'dangling'));
  const storage = join(folder, 'repository');
  await initRepository({ storage, password, kdf: { N: 1024, r: 8, p: 1 } });
  restic = new Restic({ repository: storage, password, folder });
});
after(() => rmSync(folder, { recursive: true, force: true }));

const options: Record<PathListForm, string> = {
  patterns: '--files-from',
  verbatim: '--files-from-verbatim',
  raw: '--files-from-raw',
};

async function compare(form: PathListForm, content: string): Promise<string[]> {
  const list = join(folder, 'list');
  writeFileSync(list, content.replaceAll('TREE', tree), 'latin1');
  restic.run('backup', '--force', options[form], list);
  const lines = restic.run('ls', 'latest', '--json').trim().split('\n');
  const nodes = lines.map((line) => JSON.parse(line) as { struct_type: string; path: string });
  const theirs = nodes.filter((node) => node.struct_type === 'node').map((node) => node.path);
  const { paths, unmatched } = parsePathList(readFileSync(list), form, process.cwd());
  const ours: string[] = [];
  for await (const event of filesSource({ paths }).read(new AbortController().signal)) {
    if (event.kind === 'problem') throw event.problem.error;
    if (event.kind === 'entry')
      ours.push(`/${event.path.map((name) => Buffer.from(name).toString()).join('/')}`);
  }
  assert.deepEqual(ours, theirs);
  return unmatched;
}

const utf8 = (text: string) => Buffer.from(text).toString('latin1');

test('--files-from: patterns, comments and blanks as restic reads them', async () => {
  const lines = [
    '# comment',
    '',
    '  TREE/a  ',
    'TREE/*/x',
    'TREE/star\\*name',
    '\tTREE/dang*\r',
    'TREE/absent*',
    'TREE/*/absent',
  ];
  assert.deepEqual(await compare('patterns', lines.join('\n')), [`${tree}/absent*`, `${tree}/*/absent`]);
});

test('--files-from: a name may end in a byte that is a blank elsewhere', async () => {
  assert.deepEqual(await compare('patterns', utf8('TREE/à\n')), []);
  assert.deepEqual(await compare('patterns', 'TREE/\xff\xa0\n'), []);
});

test('--files-from: what matches nothing is told and not looked for', async () => {
  const { paths, unmatched } = parsePathList(
    Buffer.from(`${tree}/absent\n${tree}/?/absent\n`),
    'patterns',
    '/',
  );
  assert.deepEqual([paths, unmatched], [[], [`${tree}/absent`, `${tree}/?/absent`]]);
});

test('--files-from-verbatim: each line as it stands', async () => {
  await compare('verbatim', utf8('TREE/*\nTREE/[z]\r\n\nTREE/à\nTREE/ blank '));
  await compare('verbatim', 'TREE/\xff\xa0');
});

test('--files-from-raw: any name, ended by NUL', async () => {
  await compare('raw', utf8('TREE/new\nline\0TREE/ blank \0TREE/#hash\0'));
  await compare('raw', 'TREE/\xff\xa0\0');
  assert.deepEqual(parsePathList(new Uint8Array(0), 'raw', '/').paths, []);
  for (const content of ['a', 'a\0b', 'a\0\0b\0'])
    assert.throws(() => parsePathList(Buffer.from(content), 'raw', '/'), { code: 'sources.list' });
});

test('a malformed pattern in a list is refused', () => {
  assert.throws(
    () => parsePathList(Buffer.from('/tmp/[a'), 'patterns', '/'),
    (error: { code: string; hint: string }) => {
      assert.equal(error.code, 'sources.list');
      assert.match(error.hint, /--files-from-verbatim/);
      return true;
    },
  );
});

test('relative paths start at the working directory', () => {
  const { paths } = parsePathList(Buffer.from('a\n./b/../b\n*\n'), 'patterns', tree);
  assert.equal(paths[0]!.toString(), `${tree}/a`);
  assert.equal(paths[1]!.toString(), `${tree}/b`);
  assert.equal(paths.length, 2 + 13);
});
