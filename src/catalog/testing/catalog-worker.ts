import { systemClock } from '#base';
import { Catalog } from '../catalog.ts';
import { migrate, migrations } from '../database/migrate.ts';
import { type CatalogPlace, openDatabase } from '../database/open-database.ts';
import type { SealingKey } from '../secrets/master-key.ts';
import { lockState } from '../state-lock.ts';

/** What a process of its own does to a catalog, until it is killed. */
export type Deed = 'open' | 'migrate-half' | 'write' | 'lock';

const masterKeys: SealingKey[] = [{ id: '00000000', key: Buffer.alloc(32) }];
const asIs = (spec: unknown): unknown => spec;
const [deed, place] = JSON.parse(process.argv[2]!) as [Deed, CatalogPlace];

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function openCatalog(): Promise<Catalog> {
  const parse = { repository: asIs, source: asIs, plan: asIs, channel: asIs };
  return Catalog.open({ place, masterKeys, parse });
}

/** Long enough to be killed in. */
const stayMs = 60_000;

const deeds: Record<Deed, () => Promise<void>> = {
  async open() {
    await using _ = await openCatalog();
    say('open');
  },

  async 'migrate-half'() {
    const database = await openDatabase(place);
    await migrate(database, {
      ...migrations,
      '9999-half': () => ({
        async up(db) {
          await db.schema.createTable('half').addColumn('name', 'text').execute();
          say('halfway');
          await systemClock.sleep(stayMs);
        },
      }),
    });
  },

  async lock() {
    if (!('path' in place)) throw new Error('only a directory is locked');
    using _ = lockState(place.path, 'the server, process 4711');
    say('locked');
    await systemClock.sleep(stayMs);
  },

  async write() {
    await using catalog = await openCatalog();
    for (;;) {
      const { id } = await catalog.jobs.create({
        kind: 'work',
        version: 1,
        input: {},
        trigger: 'api',
        limits: [],
      });
      await catalog.jobs.appendLines(id, [{ at: new Date(), level: 'info', message: 'made' }]);
      say(id);
    }
  },
};

await deeds[deed]();
