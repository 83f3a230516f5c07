import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { holdfast, jsonLines, makeRepository, password, program } from '../command/holdfast.ts';
import { Restic } from '../servers/restic.ts';

let folder: string;
let source: string;
let repository: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'));
  source = join(folder, 'source');
  repository = join(folder, 'repository');
  mkdirSync(join(source, 'sub'), { recursive: true });
  writeFileSync(join(source, 'one.txt'), 'one');
  writeFileSync(join(source, 'sub/two.tmp'), 'two');
  writeFileSync(join(source, 'sub/three.txt'), 'three');
  await makeRepository(repository);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command on the repository and expects it to succeed. */
function run(...args: string[]): string {
  const { status, stdout, stderr } = holdfast([...args, '-r', repository]);
  assert.equal(status, 0, `holdfast ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

test('init makes a repository that restic opens, and never a second one over it', () => {
  const place = join(folder, 'new');
  const made = holdfast(['init', '-r', place, '--json']);
  assert.equal(made.status, 0, made.stderr);
  const [answer] = jsonLines(made.stdout);
  assert.equal(answer!.message_type, 'initialized');
  new Restic({ repository: place, password }).run('check');
  const again = holdfast(['init', '-r', place]);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /^holdfast: there is a repository at .*\n {2}hint: /);
});

test('backup, snapshots, restore and check work together, for people', () => {
  const said = run('backup', source, '--name', 'shop', '--tag', 'a,b', '--tag', 'c', '--exclude', '*.tmp');
  assert.match(said, /^snapshot [0-9a-f]{8} saved$/m);
  assert.match(said, /^files {4}2 new, 0 changed, 0 unchanged$/m);
  const listed = run('snapshots', '--name', 'shop');
  assert.match(listed, /shop {2}a, b, c/);
  assert.match(listed, /^1 snapshot$/m);
  const target = join(folder, 'restored');
  assert.match(run('restore', 'latest', '--name', 'shop', '--target', target), /^restored 2 files/m);
  assert.equal(readFileSync(join(target, source, 'sub/three.txt'), 'utf8'), 'three');
  assert.ok(!existsSync(join(target, source, 'sub/two.tmp')));
  const part = join(folder, 'part');
  run('restore', `latest:${source}/sub`, '--target', part);
  assert.equal(readFileSync(join(part, 'three.txt'), 'utf8'), 'three');
  assert.match(run('check', '--read-data'), /^no errors were found$/m);
});

test('everything answers in JSON, one object a line', () => {
  const [summary] = jsonLines(run('backup', source, '--json')).slice(-1);
  assert.equal(summary!.message_type, 'summary');
  assert.equal(summary!.state, 'succeeded');
  const list = JSON.parse(run('snapshots', '--json')) as { id: string; hostname: string }[];
  assert.ok(list.some(({ id }) => id === summary!.snapshot_id));
  const restic = new Restic({ repository, password }).run('snapshots', '--json');
  const theirs = JSON.parse(restic) as { id: string }[];
  assert.deepEqual(
    list.map(({ id }) => id),
    theirs.map(({ id }) => id),
  );
  const [checked] = jsonLines(run('check', '--json')).slice(-1);
  assert.equal(checked!.is_sound, true);
  const target = join(folder, 'json');
  const [restored] = jsonLines(
    run('restore', String(summary!.snapshot_id), '--target', target, '--json'),
  ).slice(-1);
  assert.equal(restored!.files_restored, 3);
});

test('standard input becomes a file, and nothing when the options contradict', () => {
  const saved = holdfast(['backup', '--stdin', '--stdin-filename', 'dump.sql', '-r', repository], {
    input: 'dump',
  });
  assert.equal(saved.status, 0, saved.stderr);
  const target = join(folder, 'stdin');
  run('restore', 'latest', '--path', '/dump.sql', '--target', target);
  assert.equal(readFileSync(join(target, 'dump.sql'), 'utf8'), 'dump');
  const both = holdfast(['backup', '--stdin', source, '-r', repository]);
  assert.equal(both.status, 2);
});

test('a dry run and an unchanged tree write no snapshot', () => {
  run('backup', source, '--host', 'other');
  const before = new Restic({ repository, password }).run('list', 'snapshots');
  assert.match(run('backup', source, '--host', 'other', '--dry-run'), /dry run: nothing was written/);
  assert.match(run('backup', source, '--host', 'other', '--skip-if-unchanged'), /nothing changed since/);
  assert.equal(new Restic({ repository, password }).run('list', 'snapshots'), before);
});

test('paths come from lists too, and an entry that matches nothing makes the backup partial', () => {
  const list = join(folder, 'list');
  writeFileSync(list, `# a comment\n${source}/*.txt\n${source}/nothing-*\n`);
  const { status, stderr } = holdfast(['backup', '--files-from', list, '-r', repository]);
  assert.equal(status, 3);
  assert.match(stderr, /nothing-\*: matches nothing that exists/);
});

test('a file that cannot be read makes the backup partial, and the rest is saved', () => {
  const closed = join(folder, 'closed');
  mkdirSync(closed);
  writeFileSync(join(closed, 'open.txt'), 'open');
  writeFileSync(join(closed, 'secret.txt'), 'secret');
  chmodSync(join(closed, 'secret.txt'), 0);
  chmodSync(folder, 0o755);
  spawnSync('chown', ['-R', 'nobody', closed, repository]);
  const args = ['backup', closed, '-r', repository, '--json'];
  const env = { ...process.env, HOLDFAST_PASSWORD: password, HOME: folder };
  const { status, stdout, stderr } = spawnSync(
    'setpriv',
    ['--reuid=nobody', '--clear-groups', program, ...args],
    {
      encoding: 'utf8',
      env,
    },
  );
  spawnSync('chown', ['-R', 'root', repository]);
  assert.equal(status, 3, stdout + stderr);
  assert.match(stderr, /secret\.txt/);
  assert.equal(jsonLines(stdout).at(-1)!.state, 'partial');
  const target = join(folder, 'closed-restored');
  run('restore', 'latest', '--path', closed, '--target', target);
  assert.equal(readFileSync(join(target, closed, 'open.txt'), 'utf8'), 'open');
});

test('every kind of bad input has its exit code, a message and a hint', () => {
  const cases: [args: string[], env: NodeJS.ProcessEnv, status: number, message: RegExp][] = [
    [['snapshots'], {}, 2, /no repository was given/],
    [['snapshots', '-r', join(folder, 'absent')], {}, 10, /there is no repository at/],
    [['snapshots', '-r', repository], { HOLDFAST_PASSWORD: 'wrong' }, 12, /the password opens none/],
    [['snapshots', '-r', repository], { HOLDFAST_PASSWORD: '' }, 2, /the password is empty/],
    [
      ['snapshots', '-r', repository, '-p', '/nowhere'],
      { HOLDFAST_PASSWORD: undefined },
      2,
      /cannot read the password file/,
    ],
    [['snapshots', '-r', 'ftp:host'], {}, 2, /location/],
    [['restore', 'ffffffff', '-r', repository, '--target', folder], {}, 1, /no snapshot has an id/],
    [['restore', 'latest:/nowhere', '-r', repository, '--target', folder], {}, 1, /has no \/nowhere/],
    [['backup', '-r', repository], {}, 2, /nothing to back up/],
    [['backup', join(folder, 'absent'), '-r', repository], {}, 1, /none of the paths exists/],
    [['backup', source, '--exclude', '[', '-r', repository], {}, 2, /malformed exclude pattern/],
    [['check', '--read-data-subset', '9/3', '-r', repository], {}, 2, /cannot read the part/],
  ];
  for (const [args, env, status, message] of cases) {
    const run = holdfast(args, { env });
    assert.equal(run.status, status, `holdfast ${args.join(' ')}\n${run.stderr}`);
    assert.match(run.stderr, message);
    assert.match(run.stderr, /\n {2}hint: [A-Z].*\.\n$/);
    assert.equal(run.stdout, '');
  }
});

test('bad usage is told by exit code 2', () => {
  for (const args of [
    ['--nope'],
    ['nope'],
    ['backup', '--pack-size', 'huge'],
    ['restore', 'latest'],
    ['check', 'x'],
  ])
    assert.equal(holdfast(args).status, 2, args.join(' '));
  const { status, stderr } = holdfast(['snapshots', '--json']);
  assert.equal(status, 2);
  const [error] = jsonLines(stderr);
  assert.deepEqual(
    [error!.message_type, error!.code, error!.error_code],
    ['exit_error', 2, 'cli.no-repository'],
  );
});

test('help has examples, and the password never stands in arguments', () => {
  for (const command of ['init', 'backup', 'snapshots', 'restore', 'check', 'demo', 'completion']) {
    const { status, stdout } = holdfast([command, '--help']);
    assert.equal(status, 0);
    assert.match(stdout, /\nExamples:\n {2}\S/, command);
    assert.doesNotMatch(stdout, /--password[ =]/);
  }
});

test('completion scripts are valid and know every command and option', () => {
  const bash = holdfast(['completion', 'bash']).stdout;
  assert.equal(spawnSync('bash', ['-n'], { input: bash }).status, 0);
  const line = `COMP_WORDS=(holdfast backup --excl) COMP_CWORD=2; _holdfast; echo "\${COMPREPLY[@]}"`;
  const words = spawnSync('bash', ['-c', `${bash}\n${line}`], { encoding: 'utf8' })
    .stdout.trim()
    .split(' ');
  assert.ok(words.includes('--exclude-caches') && words.includes('--exclude'), words.join(' '));
  for (const shell of ['zsh', 'fish']) assert.match(holdfast(['completion', shell]).stdout, /snapshots/);
});

test('demo proves a round trip and says how to repeat it with restic', () => {
  const home = join(folder, 'home');
  const { status, stdout, stderr } = holdfast(['demo', source], { env: { HOLDFAST_HOME: home } });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^Proven: .* in 3 files came back byte for byte/m);
  const command = /^with restic +restic (.*)--target DIR$/m.exec(stdout)![1]!.trim().split(' ');
  const target = join(folder, 'by-restic');
  const run = spawnSync('restic', [...command, '--target', target], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  assert.equal(readFileSync(join(target, source, 'one.txt'), 'utf8'), 'one');
});

test('version says what runs', () => {
  const { stdout } = holdfast(['version']);
  assert.match(stdout, /^holdfast \d+\.\d+\.\d+ on Node v\d+/);
  assert.equal(JSON.parse(holdfast(['version', '--json']).stdout).node, /Node (\S+)/.exec(stdout)![1]);
});
