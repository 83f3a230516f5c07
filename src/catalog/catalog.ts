import { type Clock, type Random, systemClock, systemRandom } from '#base';
import { Chain } from './chain.ts';
import { ConfiguredStore, type ConfiguredWrite, writeConfigured } from './configured-store.ts';
import { copyToFile } from './database/copy-to-file.ts';
import { migrate } from './database/migrate.ts';
import { type CatalogPlace, openDatabase } from './database/open-database.ts';
import { DeliveryStore } from './delivery-store.ts';
import { JobStore } from './jobs/job-store.ts';
import { Journal } from './journal.ts';
import type { StoreContext } from './records.ts';
import type { SealingKey } from './secrets/master-key.ts';
import { SecretStore } from './secrets/secret-store.ts';
import { SettingsStore } from './settings-store.ts';
import { SnapshotStore } from './snapshot-store.ts';
import { UserStore } from './user-store.ts';

export interface OpenCatalogOptions<Specs extends ConfiguredSpecs> {
  place: CatalogPlace;
  masterKeys: readonly SealingKey[];
  /** What the specifications of configured things must be; called when they are read. */
  parse: { [Noun in keyof Specs]: (spec: unknown) => Specs[Noun] };
  clock?: Clock;
  random?: Random;
}

/** What people configure: each noun has specifications of its own. */
export interface ConfiguredSpecs {
  repository: unknown;
  source: unknown;
  plan: unknown;
  channel: unknown;
}

/** Our own records. A repository never needs them: what is lost here is rebuilt from there. */
export class Catalog<Specs extends ConfiguredSpecs = ConfiguredSpecs> implements AsyncDisposable {
  readonly repositories: ConfiguredStore<Specs['repository']>;
  readonly sources: ConfiguredStore<Specs['source']>;
  readonly plans: ConfiguredStore<Specs['plan']>;
  readonly channels: ConfiguredStore<Specs['channel']>;
  readonly jobs: JobStore;
  readonly snapshots: SnapshotStore;
  readonly journal: Journal;
  readonly deliveries: DeliveryStore;
  /** Who did what, by user. */
  readonly audit: Chain;
  /** What proved the snapshots, by plan. */
  readonly evidence: Chain;
  readonly users: UserStore;
  readonly secrets: SecretStore;
  readonly settings: SettingsStore;
  readonly #context: StoreContext;

  private constructor(context: StoreContext, { parse, masterKeys }: OpenCatalogOptions<Specs>) {
    this.#context = context;
    this.repositories = new ConfiguredStore(context, 'repository', parse.repository);
    this.sources = new ConfiguredStore(context, 'source', parse.source);
    this.plans = new ConfiguredStore(context, 'plan', parse.plan);
    this.channels = new ConfiguredStore(context, 'channel', parse.channel);
    this.jobs = new JobStore(context);
    this.snapshots = new SnapshotStore(context);
    this.journal = new Journal(context);
    this.deliveries = new DeliveryStore(context);
    this.audit = new Chain(context, 'audit');
    this.evidence = new Chain(context, 'evidence');
    this.users = new UserStore(context);
    this.secrets = new SecretStore(context, masterKeys);
    this.settings = new SettingsStore(context);
  }

  /**
   * Opens a catalog and brings it to this version's form.
   * @throws CatalogError 'catalog.unreachable', 'catalog.newer', 'catalog.master-key' when the key is not its own
   */
  static async open<Specs extends ConfiguredSpecs>(
    options: OpenCatalogOptions<Specs>,
  ): Promise<Catalog<Specs>> {
    const database = await openDatabase(options.place);
    try {
      await migrate(database);
      const { clock = systemClock, random = systemRandom } = options;
      const catalog = new Catalog<Specs>({ ...database, clock, random }, options);
      await catalog.secrets.assertKeyFits();
      return catalog;
    } catch (error) {
      await database.db.destroy();
      throw error;
    }
  }

  /** Whether the database answers. @throws what it says */
  async ping(): Promise<void> {
    await this.#context.db.selectFrom('settings').select('name').limit(1).execute();
  }

  /** Changes several configured things, all or nothing. */
  async configure(writes: readonly ConfiguredWrite[]): Promise<void> {
    await writeConfigured(this.#context, writes);
  }

  /**
   * Writes all there is, as it is at one time, into a new catalog file, for us alone. The master key is not in it.
   * @throws CatalogError 'catalog.exists' when there is such a file
   */
  async copyTo(path: string): Promise<void> {
    await copyToFile(this.#context, path);
  }

  async close(): Promise<void> {
    await this.#context.db.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
