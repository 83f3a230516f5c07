import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { BSON } from 'mongodb';
import { checkRepository, initRepository, inlineExecutor, type Repository } from '#repository';
import { openMongoSource } from '#sources';
import { MemoryStorage, StorageError, type StorageErrorCode } from '#storage';
import {
  type Script,
  type ScriptedCollection,
  type ScriptedMongo,
  startScriptedMongo,
} from '../sources/mongodb/testing/scripted-mongo.ts';
import { backup } from './backup.ts';
import { readBack } from './read-back.ts';

const servers: ScriptedMongo[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

const bson = (value: object): Uint8Array => BSON.serialize(value);
const small = Array.from({ length: 200 }, (_, _id) => bson({ _id }));

function databases(): Map<string, Map<string, ScriptedCollection>> {
  const uuid = (i: number): string => `0000000${i}-0000-4000-8000-000000000000`;
  const names = ['few', 'many', 'orders'];
  return new Map([['shop', new Map(names.map((name, i) => [name, { documents: small, uuid: uuid(i) }]))]]);
}

/** Its writes of packs fail from the third on, while it is told to. */
class FailingStorage extends MemoryStorage {
  failure: StorageErrorCode | undefined;
  #packs = 0;

  override async write(...args: Parameters<MemoryStorage['write']>): Promise<void> {
    if (this.failure && args[0].startsWith('data/') && ++this.#packs >= 3)
      throw new StorageError(this.failure, `cannot write ${args[0].slice(0, 8)}`, {
        hint: 'Make room, or allow it.',
      });
    await super.write(...args);
  }
}

async function newRepository(storage = new MemoryStorage()): Promise<Repository> {
  const kdf = { N: 1024, r: 8, p: 1 };
  return initRepository({ storage, password: 'mongo', kdf, executor: inlineExecutor() });
}

async function saved(repository: Repository, script: Script) {
  const server = await startScriptedMongo(script);
  servers.push(server);
  const source = await openMongoSource({ url: server.url, collectionsAtOnce: 1 });
  const outcome = await backup({ repository, source, packSizeBytes: 4 * 1024 ** 2 });
  const problems = outcome.problems.map(({ path, error, gravity }) => {
    const { code = '' } = error as { code?: string };
    return `${gravity} ${code} ${path}: ${error.message}`;
  });
  return { outcome, problems };
}

/** After whatever happened: the next run is whole, and so is the repository. */
async function assertNextSucceeds(repository: Repository): Promise<void> {
  const { outcome, problems } = await saved(repository, { databases: databases() });
  assert.deepEqual(problems, []);
  assert.equal(outcome.state, 'succeeded');
  const proof = await readBack({ repository, snapshot: outcome.snapshot! });
  assert.deepEqual(proof!.problems, []);
  // Packs that an interrupted run has left are no more than a hint.
  const { findings } = await checkRepository(repository, { readData: 'all' });
  assert.deepEqual(
    findings.filter(({ gravity }) => gravity !== 'hint'),
    [],
  );
}

for (const failure of ['storage.no-space', 'storage.access-denied'] as const)
  test(`${failure} at the third part: failed with that code, no snapshot, and the next run succeeds`, async () => {
    const storage = new FailingStorage();
    const repository = await newRepository(storage);
    const large = Array.from({ length: 5 }, (_, _id) => bson({ _id, b: randomBytes(4 * 1024 ** 2) }));
    storage.failure = failure;
    const script = { databases: new Map([['shop', new Map([['large', { documents: large }]])]]) };
    await assert.rejects(saved(repository, script), (error: StorageError) => {
      assert.equal(error.code, failure);
      assert.match(error.message, /^cannot write data\//);
      assert.ok(error.hint);
      return true;
    });
    storage.failure = undefined;
    assert.deepEqual(await repository.snapshots(), []);
    await assertNextSucceeds(repository);
  });

const died = (code: number, codeName: string, errmsg: string) => ({ ok: 0, code, codeName, errmsg });

test('a killed cursor, a server that restarts, a right that is lost: partial, by name and code, the rest saved', async () => {
  const cases: [string, Script['intercept'], RegExp][] = [
    [
      'cursor killed',
      ({ getMore, collection }) =>
        getMore && collection === 'many' ? died(237, 'CursorKilled', 'cursor was killed') : undefined,
      /^lost sources\.mongodb \/mongodb-\S+\/dump\/shop\/many\.bson: cannot read shop\.many: cursor was killed$/,
    ],
    [
      'restarted: the cursors are gone',
      ({ getMore, collection }) =>
        getMore && collection === 'many' ? died(43, 'CursorNotFound', 'cursor id 7 not found') : undefined,
      /^lost sources\.mongodb \/mongodb-\S+\/dump\/shop\/many\.bson: cannot read shop\.many: cursor id 7 not found$/,
    ],
    [
      'connection dies',
      ({ getMore, collection }) => (getMore && collection === 'many' ? 'close' : undefined),
      /^lost sources\.unreachable \/mongodb-\S+\/dump\/shop\/many\.bson: cannot read shop\.many: connection .* closed$/,
    ],
    [
      'right lost in the middle',
      ({ getMore, collection }) =>
        getMore && collection === 'many' ? died(13, 'Unauthorized', 'not authorized on shop') : undefined,
      /^lost sources\.access-denied \/mongodb-\S+\/dump\/shop\/many\.bson: cannot read shop\.many: not authorized on shop$/,
    ],
    [
      'election',
      ({ getMore, collection }) =>
        getMore && collection === 'many'
          ? died(11602, 'InterruptedDueToReplStateChange', 'operation was interrupted')
          : undefined,
      /^lost sources\.mongodb \/mongodb-\S+\/dump\/shop\/many\.bson: cannot read shop\.many: operation was interrupted$/,
    ],
  ];
  const repository = await newRepository();
  for (const [name, intercept, sentence] of cases) {
    const { outcome, problems } = await saved(repository, { databases: databases(), intercept: intercept! });
    assert.equal(outcome.state, 'partial', name);
    assert.equal(problems.length, 1, `${name}: ${problems.join('\n')}`);
    assert.match(problems[0]!, sentence, name);
    assert.deepEqual((await readBack({ repository, snapshot: outcome.snapshot! }))!.problems, []);
    const next = await saved(repository, { databases: databases() });
    assert.equal(next.outcome.state, 'succeeded', name);
  }
  await assertNextSucceeds(repository);
});

test('a collection that is dropped or renamed while the dump runs: warning, by name', async () => {
  const all = databases();
  const shop = all.get('shop')!;
  let hasChanged = false;
  const repository = await newRepository();
  const { outcome, problems } = await saved(repository, {
    databases: all,
    intercept({ getMore, collection }) {
      if (!getMore || collection !== 'many' || hasChanged) return undefined;
      hasChanged = true;
      shop.set('renamed', shop.get('few')!);
      shop.delete('few');
      shop.delete('orders');
      return undefined;
    },
  });
  assert.equal(outcome.state, 'warning');
  assert.deepEqual(problems.sort(), [
    'odd  shop.few: it was renamed to shop.renamed while the dump ran',
    'odd  shop.orders: it was dropped or renamed while the dump ran; what the dump has of it may not be whole',
    'odd  shop.renamed: it appeared while the dump ran and is not in it',
  ]);
  await assertNextSucceeds(repository);
});
