import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Restic } from '../servers/restic.ts';

const root = join(import.meta.dirname, '../..');

/** The one example of the guide, as it stands there. */
function exampleOf(guide: string): string {
  const blocks = [...readFileSync(join(root, guide), 'utf8').matchAll(/^```js\n(.*?)^```$/gms)];
  assert.equal(blocks.length, 1);
  return blocks[0]![1]!;
}

test('the example of the library guide runs as a stranger runs it, and restic reads what it wrote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-guide-'));
  try {
    const repository = join(folder, 'repository');
    const password = 'of the guide';
    for (const run of [1, 2]) {
      // From standard input in our own folder, so that `holdfast` is this package itself.
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['--conditions=src', '--disable-warning=ExperimentalWarning', '--input-type=module'],
        {
          cwd: root,
          input: exampleOf('docs/guide/library.md'),
          encoding: 'utf8',
          env: { ...process.env, EXAMPLE_REPOSITORY: repository, EXAMPLE_PASSWORD: password },
        },
      );
      assert.equal(stderr, '');
      assert.equal(status, 0);
      const lines = stdout.trimEnd().split('\n');
      assert.equal(lines[0], 'saved 2 files, 23385 bytes');
      assert.equal(
        lines.filter((line) => /^snapshot [0-9a-f]{8} of \/shop \(name=shop\)$/.test(line)).length,
        run,
      );
      assert.equal(lines.at(-2), 'read 23341 of 23341 bytes back');
      assert.match(lines.at(-1)!, /^sound: \d+ packs were read$/);
    }
    const restic = new Restic({ repository, password });
    restic.run('check', '--read-data');
    assert.match(restic.run('dump', 'latest', '/shop/note.txt'), /^Orders of the shop/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
