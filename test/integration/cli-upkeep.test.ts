import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '#base';
import {
  holdfast,
  jsonLines,
  makeRepository,
  password,
  type RunOptions,
  startHoldfast,
} from '../command/holdfast.ts';
import { Restic } from '../servers/restic.ts';

let folder: string;
let source: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-upkeep-'));
  source = join(folder, 'source');
  mkdirSync(source);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A repository with so many snapshots of a file whose content is another each time. */
async function repositoryWith(name: string, snapshots: number): Promise<string> {
  const repository = join(folder, name);
  await makeRepository(repository);
  const random = seededRandom(snapshots);
  for (let i = 0; i < snapshots; i++) {
    writeFileSync(join(source, 'changing'), random.fill(new Uint8Array(100_000)));
    run(repository, ['backup', source, '--name', 'shop', '--tag', `t${i}`]);
  }
  return repository;
}

function run(repository: string, args: readonly string[], options?: RunOptions): string {
  const { status, stdout, stderr } = holdfast([...args, '-r', repository], options);
  assert.equal(status, 0, `holdfast ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

function assertSound(repository: string): void {
  new Restic({ repository, password }).run('check', '--read-data');
}

function snapshotIds(repository: string): string[] {
  return readdirSync(join(repository, 'snapshots')).sort();
}

test('forget shows the reason per snapshot, forgets, and prunes at once when asked', async () => {
  const repository = await repositoryWith('forget', 3);
  const dry = run(repository, ['forget', '--keep-last', '1', '--dry-run']);
  assert.match(dry, /keep +last snapshot$/m);
  assert.match(dry, /^2 snapshots would be forgotten$/m);
  assert.equal(snapshotIds(repository).length, 3);
  const [answer] = jsonLines(run(repository, ['forget', '--keep-last', '2', '--json']));
  const [group] = answer!.groups as {
    keep: unknown[];
    remove: unknown[];
    reasons: { matches: string[] }[];
  }[];
  assert.equal(group!.keep.length, 2);
  assert.equal(group!.remove.length, 1);
  assert.deepEqual(group!.reasons[0]!.matches, ['last snapshot']);
  const packs = (): number => readdirSync(join(repository, 'data'), { recursive: true }).length;
  const before = packs();
  run(repository, ['forget', '--keep-last', '1', '--prune']);
  assert.ok(packs() < before);
  assert.equal(snapshotIds(repository).length, 1);
  assertSound(repository);
  assert.equal(holdfast(['forget', '-r', repository]).status, 2, 'never an empty policy');
  assert.equal(holdfast(['forget', 'latest', '--keep-last', '1', '-r', repository]).status, 2);
  assert.equal(snapshotIds(repository).length, 1);
});

test('prune marks first and deletes after the grace', async () => {
  const repository = await repositoryWith('prune', 2);
  run(repository, ['forget', '--keep-last', '1']);
  const [marked] = jsonLines(run(repository, ['prune', '--json'])).slice(-1);
  const packs = marked!.packs as Record<string, { count: number }>;
  assert.ok(packs.marked!.count > 0);
  assert.equal(packs.deleted!.count, 0);
  assertSound(repository);
  assert.match(run(repository, ['prune']), /marked before, not due yet/);
  assert.match(run(repository, ['prune', '--grace', '0s']), /^\d+ packs? deleted/m);
  assertSound(repository);
});

test('copy brings what is missing, once', async () => {
  const from = await repositoryWith('from', 2);
  const to = join(folder, 'to');
  const env = { HOLDFAST_FROM_PASSWORD: password };
  run(to, ['init', '--copy-chunker-params', '--from-repo', from], { env });
  const [first] = jsonLines(run(to, ['copy', '--from-repo', from, '--json'], { env })).slice(-1);
  assert.equal((first!.copied as unknown[]).length, 2);
  assert.equal(first!.cuts_differ, false);
  const [second] = jsonLines(run(to, ['copy', '--from-repo', from, '--json'], { env })).slice(-1);
  assert.deepEqual([second!.copied, second!.data_added], [[], 0]);
  assertSound(to);
  assert.equal(holdfast(['copy', '-r', to]).status, 2);
});

test('tags are added, removed and set', async () => {
  const repository = await repositoryWith('tag', 1);
  const tags = (): string[] =>
    (JSON.parse(run(repository, ['snapshots', '--json'])) as { tags: string[] }[])[0]!.tags;
  run(repository, ['tag', 'latest', '--add', 'keep,more', '--remove', 't0']);
  assert.deepEqual(tags(), ['name=shop', 'keep', 'more']);
  run(repository, ['tag', '--name', 'shop', '--set', 'only']);
  assert.deepEqual(tags(), ['only']);
  for (const args of [
    ['tag', 'latest'],
    ['tag', 'latest', '--set', 'a', '--add', 'b'],
  ])
    assert.equal(holdfast([...args, '-r', repository]).status, 2);
  assertSound(repository);
});

test('passwords are added, changed and removed; the one in use stays', async () => {
  const repository = await repositoryWith('keys', 1);
  const as = (own: string, fresh?: string): RunOptions => ({
    env: { HOLDFAST_PASSWORD: own, HOLDFAST_NEW_PASSWORD: fresh },
  });
  run(repository, ['key', 'add'], as(password, 'second'));
  const keys = JSON.parse(run(repository, ['key', 'list', '--json'], as('second'))) as {
    id: string;
    current: boolean;
  }[];
  assert.equal(keys.length, 2);
  const current = keys.find((key) => key.current)!;
  const other = keys.find((key) => !key.current)!;
  assert.equal(holdfast(['key', 'remove', current.id, '-r', repository], as('second')).status, 1);
  run(repository, ['key', 'remove', other.id], as('second'));
  assert.equal(holdfast(['snapshots', '-r', repository]).status, 12);
  run(repository, ['key', 'passwd'], as('second', password));
  assert.equal(holdfast(['snapshots', '-r', repository], as('second')).status, 12);
  assertSound(repository);
});

test('a damaged pack is named, saved from a second repository, and restic agrees', async () => {
  const repository = await repositoryWith('damaged', 1);
  const copy = join(folder, 'damaged-copy');
  const env = { HOLDFAST_FROM_PASSWORD: password };
  run(copy, ['init', '--copy-chunker-params', '--from-repo', repository], { env });
  run(copy, ['copy', '--from-repo', repository], { env });
  const data = join(repository, 'data');
  const pack = readdirSync(data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => readFileSync(b).length - readFileSync(a).length)[0]!;
  truncateSync(pack, 50_000);
  const checked = holdfast(['check', '--read-data', '--json', '-r', repository]);
  assert.equal(checked.status, 1);
  const lines = jsonLines(checked.stdout);
  assert.ok(lines.some((line) => line.message_type === 'finding' && line.pack === pack.split('/').at(-1)));
  const [summary] = lines.slice(-1);
  assert.deepEqual(
    (summary!.affected as { path: string }[]).map(({ path }) => path),
    [join(source, 'changing')],
  );
  const args = ['repair', 'packs', '--from-repo', copy, '--json'];
  const [repaired] = jsonLines(run(repository, args, { env })).slice(-1);
  assert.deepEqual(repaired!.lost, []);
  assertSound(repository);
  assert.match(run(repository, ['repair', 'snapshots', '--dry-run']), /^0 snapshots would be repaired$/m);
  run(repository, ['repair', 'index']);
  assert.equal(holdfast(['repair', 'packs', 'abc', '-r', repository]).status, 2);
});

test('unlock removes the lock of a process that is gone, and no other', async () => {
  const repository = await repositoryWith('locks', 1);
  // Takes minutes at this rate, so the lock is held until the process is killed.
  writeFileSync(join(source, 'changing'), seededRandom(99).fill(new Uint8Array(200_000)));
  const killed = startHoldfast(['backup', source, '-r', repository, '--limit-upload', '1K']);
  const locks = join(repository, 'locks');
  while (readdirSync(locks).length === 0) await delay(10);
  const held = run(repository, ['unlock']);
  assert.match(held, /^0 locks removed$/m, 'its process lives');
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  assert.equal(holdfast(['check', '-r', repository]).status, 11);
  assert.match(run(repository, ['unlock']), /^removed a lock held not exclusively [\s\S]*^1 lock removed$/m);
  run(repository, ['check']);
});

test('restore takes patterns, previews, and reads back what it wrote', async () => {
  const repository = await repositoryWith('patterns', 1);
  writeFileSync(join(source, 'a.conf'), 'a');
  writeFileSync(join(source, 'b.txt'), 'b');
  run(repository, ['backup', source]);
  const target = join(folder, 'patterns-target');
  const args = ['restore', 'latest', '--target', target, '--include', '*.conf'];
  assert.match(run(repository, [...args, '--dry-run']), /^make +\S*a\.conf$/m);
  assert.equal(readdirSync(folder).includes('patterns-target'), false);
  assert.match(run(repository, [...args, '--verify']), /^read back 1 file, 1 B, and compared$/m);
  assert.deepEqual(readdirSync(join(target, source)), ['a.conf']);
  writeFileSync(join(target, source, 'a.conf'), 'other');
  run(repository, [...args, '--overwrite', 'never']);
  assert.equal(readFileSync(join(target, source, 'a.conf'), 'utf8'), 'other');
});
