import assert from 'node:assert/strict';
import { seededRandom } from '#base';
import { initRepository, inlineExecutor } from '#repository';
import { deriveKeysAtOnce } from './derive-keys-at-once.ts';
import { judge } from './judge.ts';
import type { MeantKey } from './ledger.ts';
import { SimulatedProcess } from './process.ts';
import { cheapKdf, works } from './work.ts';
import { type Place, World } from './world.ts';

export const clientsMax = 3;

/** Of both repositories: copies between them share blobs. Any irreducible one does. */
const chunkerPolynomial = 0x3da3358b4dc173n;

/** A repository as it is when it was made and has some keys. */
interface NewRepository {
  files: ReadonlyMap<string, Uint8Array>;
  keys: readonly Readonly<MeantKey>[];
}

/** Made once for all worlds of this thread: until then nothing bad can happen. */
let newRepositories: Promise<NewRepository[]> | undefined;

/** Puts a repository with some keys in each place of a world. Not to be waited for in the time of a world. */
export async function giveRepositories(world: World): Promise<void> {
  deriveKeysAtOnce();
  newRepositories ??= makeRepositories(new World(0));
  for (const [i, { files, keys }] of (await newRepositories).entries()) {
    const place = world.places[i]!;
    const { history, ledger } = place;
    const storage = place.storageFor();
    for (const [name, bytes] of files) {
      await storage.write(name, bytes);
      history.record(name, undefined);
    }
    ledger.keys.push(...keys.map((key) => ({ ...key, passwords: [...key.passwords] })));
  }
}

async function makeRepositories(world: World): Promise<NewRepository[]> {
  const process = new SimulatedProcess(world, {});
  await world.timeline.run(Promise.all(world.places.map((place) => makeRepository(process, place))));
  // So every key is proven to open.
  assert.deepEqual(await judge(world), []);
  return world.places.map(({ memory, ledger }) => ({ files: memory.files, keys: ledger.keys }));
}

async function makeRepository(process: SimulatedProcess, place: Place): Promise<void> {
  const repository = await initRepository({
    storage: process.connect(place),
    password: 'first',
    kdf: cheapKdf,
    executor: inlineExecutor(seededRandom(1)),
    clock: process.clock,
    random: process.random,
    owner: process.owner,
    chunkerPolynomial,
  });
  place.ledger.keys.push({ id: repository.key.id, passwords: ['first'] });
  // So many that all clients may remove one at the same time.
  for (let i = 0; i < clientsMax; i++) await works['add key']!.work(process, { place, repository });
}
