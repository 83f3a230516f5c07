import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Storage, StorageError } from '#storage';
import { type BlobId, idOf } from '../format/ids.ts';
import type { IndexPack } from '../index/index-file.ts';
import { storeIndex, storePack } from '../testing/handmade-pack.ts';
import { reopen, smallRepository } from '../testing/streamed-repository.ts';

const one = 'the first blob';
const oneId = idOf<BlobId>(Buffer.from(one));
const nameOfPack = ({ id }: IndexPack) => `data/${id.slice(0, 2)}/${id}`;

async function withCopies(type: 'data' | 'tree') {
  const { repository, storage } = await smallRepository();
  const packs = [
    await storePack(repository, [{ type, plain: one }]),
    await storePack(repository, [
      { type, plain: 'something before it' },
      { type, plain: one },
    ]),
  ];
  await storeIndex(repository, packs);
  const read = async (source: Storage = storage) => {
    const reader = await (await reopen(source)).blobReader();
    return Buffer.from(await reader.read(type, oneId)).toString();
  };
  return { storage, packs, read };
}

for (const type of ['data', 'tree'] as const) {
  test(`a ${type} blob is read from its second copy when the first is damaged, cut or gone`, async () => {
    const { storage, packs, read } = await withCopies(type);
    const first = nameOfPack(packs[0]!);
    const good = storage.files.get(first)!;
    assert.equal(await read(), one);
    const damaged = new Uint8Array(good);
    damaged[20]! ^= 1;
    for (const bytes of [damaged, good.subarray(0, 10), new Uint8Array(0)]) {
      storage.files.set(first, bytes);
      assert.equal(await read(), one);
    }
    storage.files.delete(first);
    assert.equal(await read(), one);
  });

  test(`a ${type} blob without a good copy is damaged`, async () => {
    const { storage, packs, read } = await withCopies(type);
    storage.files.delete(nameOfPack(packs[0]!));
    storage.files.get(nameOfPack(packs[1]!))![70]! ^= 1;
    await assert.rejects(read(), { code: 'repository.damaged', message: /blob [0-9a-f]{12} in pack/ });
  });

  test(`a ${type} blob that only the transfer damaged is read again`, async () => {
    const { storage, read } = await withCopies(type);
    let reads = 0;
    const flaky: Storage = {
      ...storage,
      async *read(name, range, options) {
        const isBad = name.startsWith('data/') && reads++ < 3;
        for await (const piece of storage.read(name, range, options)) {
          const copy = new Uint8Array(piece);
          if (isBad) copy[0]! ^= 1;
          yield copy;
        }
      },
    };
    assert.equal(await read(flaky), one);
    assert.equal(reads, 4);
  });

  test(`a storage that does not answer does not make a ${type} blob damaged`, async () => {
    const { storage, read } = await withCopies(type);
    const away: Storage = {
      ...storage,
      read(name, range, options) {
        if (name.startsWith('data/')) throw new StorageError('storage.unreachable', 'away');
        return storage.read(name, range, options);
      },
    };
    await assert.rejects(read(away), { code: 'storage.unreachable' });
  });
}

test('what no index file knows is incomplete', async () => {
  const { repository } = await smallRepository();
  await assert.rejects((await repository.blobReader()).read('data', oneId), {
    code: 'repository.incomplete',
  });
});

test('trees at the beginning of a pack are read though its end is cut off', async () => {
  const { repository, storage } = await smallRepository();
  const pack = await storePack(repository, [
    { type: 'tree', plain: one },
    { type: 'tree', plain: 'x'.repeat(5000) },
  ]);
  await storeIndex(repository, [pack]);
  storage.files.set(nameOfPack(pack), storage.files.get(nameOfPack(pack))!.slice(0, 1000));
  const reader = await repository.blobReader();
  assert.equal(Buffer.from(await reader.read('tree', oneId)).toString(), one);
});

test('ends with the signal, without trying other copies', async () => {
  const { repository } = await smallRepository();
  await storeIndex(repository, [await storePack(repository, [{ type: 'data', plain: one }])]);
  const reader = await repository.blobReader();
  await assert.rejects(reader.read('data', oneId, AbortSignal.abort(new Error('enough'))), /enough/);
});

test('reads a blob that is larger than any chunk of ours', async () => {
  const { repository } = await smallRepository();
  const plain = Buffer.alloc(20 * 1024 * 1024, 'large ');
  await storeIndex(repository, [await storePack(repository, [{ type: 'data', plain }])]);
  const reader = await repository.blobReader();
  assert.ok(Buffer.from(await reader.read('data', idOf(plain))).equals(plain));
});
