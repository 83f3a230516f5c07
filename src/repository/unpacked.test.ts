import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#base';
import { type IndexId, idOf, type KeyId } from './format/ids.ts';
import { open, randomMasterKey, seal } from './format/sealed.ts';
import { memoryStorage } from './format/testing/memory-storage.ts';
import { compress } from './format/zstd.ts';
import { UnpackedFiles } from './unpacked.ts';
import { listStored, loadStored, readWhole, saveStored } from './unpacked-raw.ts';

const random = seededRandom(9);
const key = randomMasterKey(random);

function filesIn(storage = memoryStorage(), version: 1 | 2 = 2) {
  return { storage, files: new UnpackedFiles({ storage, key, random, version }) };
}

/** Stores a plaintext as another program might have. */
async function stored(plain: Uint8Array | string) {
  const { storage, files } = filesIn();
  const bytes = seal(key, Buffer.from(plain), random);
  const id = idOf<IndexId>(bytes);
  await storage.write(`index/${id}`, bytes);
  return { files, id };
}

test('a file is the seal of a 2 and a zstd frame, named by its hash', async () => {
  const { storage, files } = filesIn();
  const id = await files.save('index', '{"packs":[]}');
  const bytes = storage.files.get(`index/${id}`)!;
  assert.equal(idOf(bytes), id);
  assert.deepEqual([...open(key, bytes).subarray(0, 5)], [2, 0x28, 0xb5, 0x2f, 0xfd]);
  assert.equal(Buffer.from(await files.load('index', id)).toString(), '{"packs":[]}');
});

test('in a repository of version 1 nothing is compressed', async () => {
  const { storage, files } = filesIn(memoryStorage(), 1);
  const id = await files.save('snapshots', '{"a":1}');
  assert.equal(Buffer.from(open(key, storage.files.get(`snapshots/${id}`)!)).toString(), '{"a":1}');
});

test('reads the plain JSON of old programs: an object, or the bare list of the first index', async () => {
  for (const json of ['{"packs":[]}', '[{"id":"x"}]']) {
    const { files, id } = await stored(json);
    assert.equal(Buffer.from(await files.load('index', id)).toString(), json);
  }
});

test('refuses an encoding that it does not know', async () => {
  for (const plain of ['', '\x01', '\x03{}', ' {}', '\x02', '\x02no frame']) {
    const { files, id } = await stored(plain);
    await assert.rejects(files.load('index', id), { code: 'repository.damaged' }, JSON.stringify(plain));
  }
});

test('refuses what was sealed by another key', async () => {
  const { storage, files } = filesIn();
  const bytes = seal(
    randomMasterKey(random),
    Buffer.concat([Buffer.of(2), compress(Buffer.from('{}'))]),
    random,
  );
  const id = await saveStored(storage, 'index', bytes);
  await assert.rejects(files.load('index', id), { code: 'repository.damaged' });
});

test('what does not hash to its name is read once more, and then damaged', async () => {
  const { storage } = filesIn();
  const id = await saveStored(storage, 'keys', Buffer.from('good'));
  let wrongReads = 1;
  let reads = 0;
  const flaky = {
    ...storage,
    async *read(name: string): AsyncGenerator<Uint8Array> {
      yield reads++ < wrongReads ? Buffer.from('bad!') : storage.files.get(name)!;
    },
  };
  assert.equal(Buffer.from(await loadStored(flaky, 'keys', id)).toString(), 'good');
  assert.equal(reads, 2);
  reads = 0;
  wrongReads = 2;
  await assert.rejects(loadStored(flaky, 'keys', id), {
    code: 'repository.damaged',
    message: /does not hash to its name/,
  });
  assert.equal(reads, 2);
});

test('a file that is not there is not damaged', async () => {
  await assert.rejects(loadStored(memoryStorage(), 'keys', 'ab'.repeat(32) as KeyId), {
    code: 'storage.not-found',
  });
});

test('lists what has an id for a name, and passes over the rest', async () => {
  const { storage } = filesIn();
  const id = await saveStored(storage, 'keys', Buffer.from('one'));
  storage.files.set('keys/readme.txt', Buffer.from('x'));
  storage.files.set(`keys/${id}-tmp`, Buffer.from('x'));
  const listed = [];
  for await (const file of listStored(storage, 'keys')) listed.push(file);
  assert.deepEqual(listed, [{ id, sizeBytes: 3 }]);
});

test('joins the pieces of a file, and ends a storage that never stops sending', async () => {
  const pieces = (count: number, sizeBytes: number) => ({
    ...memoryStorage(),
    async *read(): AsyncGenerator<Uint8Array> {
      const piece = new Uint8Array(sizeBytes);
      for (let i = 0; i < count; i++) yield piece;
    },
  });
  assert.equal((await readWhole(pieces(3, 10), 'x')).length, 30);
  assert.equal((await readWhole(pieces(0, 0), 'x')).length, 0);
  await assert.rejects(readWhole(pieces(1e9, 2 ** 26), 'x'), {
    code: 'repository.damaged',
    message: /longer than/,
  });
});
