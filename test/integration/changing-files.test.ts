import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkRepository, type WriteProgress } from '#repository';
import { filesSource } from '#sources';
import { backup } from '#workflows';
import { smallRepository } from '../../src/repository/testing/streamed-repository.ts';

const MiB = 1024 * 1024;
const sizeBytes = 20 * MiB;
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-changing-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Calls back once, between two reads of the first large file: its bytes are counted after each read. */
function afterFirstRead(progress: WriteProgress, change: () => void): void {
  let bytes = 0;
  Object.defineProperty(progress, 'bytesProcessed', {
    get: () => bytes,
    set: (count: number) => {
      if (bytes === 0) change();
      bytes = count;
    },
  });
}

function writeAt(path: string, at: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(MiB, 0x55), 0, MiB, at);
  closeSync(file);
}

for (const [name, change, stored] of [
  ['grows', (path: string) => appendFileSync(path, Buffer.alloc(MiB, 0x55)), sizeBytes + MiB],
  ['shrinks', (path: string) => truncateSync(path, 10 * MiB), 10 * MiB],
  ['is written over in its middle', (path: string) => writeAt(path, 15 * MiB), sizeBytes],
] as const) {
  test(`a file that ${name} between two reads is saved as it was read, and named`, async () => {
    const path = join(folder, 'file');
    writeFileSync(path, Buffer.alloc(sizeBytes, 0x11));
    const { repository } = await smallRepository();
    const { state, problems, snapshot } = await backup({
      repository,
      source: filesSource({ paths: [path] }),
      onStart: ({ progress }) => afterFirstRead(progress, () => change(path)),
    });
    assert.equal(state, 'warning');
    assert.deepEqual(
      problems.map(({ path: of, gravity }) => [of, gravity]),
      [[path, 'odd']],
    );
    assert.match(problems[0]!.error.message, /changed while it was read/);
    const node = (await repository.findNode(snapshot!, path))!;
    let bytes = 0;
    for await (const piece of repository.readFile(node)) bytes += piece.length;
    assert.deepEqual([node.sizeBytes, bytes], [stored, stored], 'no truncated file that looks whole');
    assert.ok((await checkRepository(repository, { readData: 'all' })).isSound);
  });
}

for (const [name, change] of [
  ['removed', (path: string) => unlinkSync(path)],
  [
    'replaced by another',
    (path: string) => {
      writeFileSync(`${path}.new`, Buffer.alloc(MiB, 0x55));
      renameSync(`${path}.new`, path);
    },
  ],
] as const) {
  test(`a file that is ${name} while it is read is saved whole, as it was when it was opened`, async () => {
    const path = join(folder, 'file');
    writeFileSync(path, Buffer.alloc(sizeBytes, 0x11));
    const { repository } = await smallRepository();
    const { state, snapshot } = await backup({
      repository,
      source: filesSource({ paths: [path] }),
      onStart: ({ progress }) => afterFirstRead(progress, () => change(path)),
    });
    assert.equal(state, 'succeeded');
    const node = (await repository.findNode(snapshot!, path))!;
    for await (const piece of repository.readFile(node)) assert.ok(piece.every((byte) => byte === 0x11));
    assert.equal(node.sizeBytes, sizeBytes);
  });
}
