import { type Clock, HoldfastError } from '#base';
import { type FileInfo, type FileVersion, type Storage, StorageError } from '#storage';
import { WorkflowError } from '../errors.ts';
import type { Problem } from '../outcome.ts';
import type { Change } from './changes.ts';
import { Copier, type CopyReport } from './copy-file.ts';
import { forEachWithin } from './for-each-within.ts';
import type { Inventory } from './inventory.ts';
import { indexStage, locksPrefix, namesOf, stagesFrom, stagesOf } from './repository-order.ts';

/** What was done. */
export interface ReplicateCounts {
  unchanged: number;
  created: number;
  replaced: number;
  /** Older versions and markers that were replayed. */
  versions: number;
  deleted: number;
  /** Files that the source no longer had when it was their turn. */
  vanished: number;
  bytesCopied: number;
  /** Of the copies, those that the service made itself. */
  byService: number;
}

export interface ReplicationOptions {
  from: Storage;
  to: Storage;
  inventory: Inventory;
  isRepository: boolean;
  verify: boolean;
  deletes?: { trash?: string | undefined } | undefined;
  filesAtOnce?: number | undefined;
  progress: { phase: 'listing' | 'copying' | 'deleting'; filesDone: number; bytesDone: number };
  onProblem?: ((problem: Problem) => void) | undefined;
  clock: Clock;
  signal?: AbortSignal | undefined;
}

/** More problems than that are one problem. */
const problemsMax = 1000;
/** What a file may take of memory while it is copied: parts of an upload in several requests. */
const weightMax = 32 * 1024 * 1024;
const heldBytesMax = 3 * weightMax;
/** A lock that was not renewed for so long is held by nobody (restic). */
const lockLifeMs = 30 * 60_000;
/** Once again when a file changed while it was copied. */
const attemptsMax = 2;

/** Does what an inventory has planned. */
export class Replication {
  readonly problems: Problem[] = [];
  readonly counts: ReplicateCounts = {
    unchanged: 0,
    created: 0,
    replaced: 0,
    versions: 0,
    deleted: 0,
    vanished: 0,
    bytesCopied: 0,
    byService: 0,
  };
  readonly #options: ReplicationOptions;
  readonly #copier: Copier;
  #lacksTags = false;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    const { from, to, isRepository, verify, progress, signal } = options;
    const onBytes = (count: number): void => {
      progress.bytesDone += count;
    };
    this.#copier = new Copier({ from, to, isRepository, verify, onBytes, signal });
  }

  /** @returns false when the source, a repository, changed in a way that makes the inventory useless */
  async run(): Promise<boolean> {
    const { progress, isRepository } = this.#options;
    const { stages } = stagesOf(isRepository);
    progress.phase = 'copying';
    for (const stage of stages) {
      if (isRepository && this.problems.length > 0) {
        this.#note(stagesFrom(stage), incomplete());
        return true;
      }
      if (isRepository && stage === indexStage && !(await this.#isIndexThere())) return false;
      if (!(await this.#copyStage(stage))) return false;
    }
    progress.phase = 'deleting';
    await this.#deleteAll(stages.toReversed());
    return true;
  }

  /** @returns false when a file that others refer to is gone */
  async #copyStage(stage: number): Promise<boolean> {
    const { inventory, isRepository } = this.#options;
    const neededStages = isRepository ? [stagesOf(true).stageOf('data/'), indexStage] : [];
    let isWhole = true;
    await this.#forEach(inventory.planned(stage, { deletes: false }), async (change) => {
      if (!isWhole) return;
      const isThere = await this.#copyChange(change);
      if (!isThere && neededStages.includes(stage)) isWhole = false;
      else if (!isThere) this.counts.vanished++;
    });
    return isWhole;
  }

  /** @returns false when the source does not have it any more */
  async #copyChange(change: Change): Promise<boolean> {
    try {
      if (change.action === 'replay') await this.#replay(change.name, change.versions);
      else if (change.action === 'copy') await this.#copy(change);
    } catch (error) {
      if (await this.#isVanished(change.name, error)) return false;
      throw error;
    }
    this.#options.progress.filesDone++;
    return true;
  }

  async #copy(change: Change & { action: 'copy' }): Promise<void> {
    const { name, replaces, isDoubtful } = change;
    if (isDoubtful && (await this.#copier.isSame({ name, info: change.from }))) {
      this.counts.unchanged++;
      return;
    }
    this.#tally(await this.#copyPatiently(name, change.from));
    if (replaces) this.counts.replaced++;
    else this.counts.created++;
  }

  async #copyPatiently(name: string, listed: FileInfo): Promise<CopyReport> {
    const { from, signal } = this.#options;
    let info = listed;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#copier.copy({ name, info });
      } catch (error) {
        const isChanged = error instanceof WorkflowError && error.code === 'workflows.changed';
        const now = isChanged && attempt < attemptsMax ? await from.stat(name, { signal }) : undefined;
        if (!now) throw error;
        info = now;
      }
    }
  }

  async #replay(name: string, versions: readonly FileVersion[]): Promise<void> {
    const { to, signal } = this.#options;
    for (const version of versions) {
      const { versionId } = version;
      if (version.isDeleteMarker) await to.retention?.hide(name, { signal });
      else this.#tally(await this.#copier.copy({ name, info: version, versionId }));
      this.counts.versions++;
    }
  }

  #tally({ by, sizeBytes, lacksTags }: CopyReport): void {
    this.counts.bytesCopied += sizeBytes;
    if (by === 'service') this.counts.byService++;
    if (!lacksTags || this.#lacksTags) return;
    this.#lacksTags = true;
    this.#note('tags', untoldTags(this.#options.from), 'odd');
  }

  async #isVanished(name: string, error: unknown): Promise<boolean> {
    if (!(error instanceof StorageError) || error.code !== 'storage.not-found') return false;
    const { from, signal } = this.#options;
    return (await from.stat(name, { signal })) === undefined;
  }

  /** A prune deletes packs only after the index files that name them: as long as those are there, so are the packs. */
  async #isIndexThere(): Promise<boolean> {
    const { from, inventory, signal } = this.#options;
    const now = await namesOf(from, 'index/', { signal });
    for (const change of inventory.planned(indexStage, { deletes: false }))
      if (!now.has(change.name)) return false;
    return true;
  }

  async #deleteAll(stages: readonly number[]): Promise<void> {
    const { inventory, isRepository, deletes } = this.#options;
    const [first] = stages.flatMap((stage) => [...firstOf(inventory.planned(stage, { deletes: true }))]);
    if (!deletes || !first) return;
    if (this.problems.some(({ gravity }) => gravity === 'lost')) {
      this.#note(first.name, notDeleted('not all was copied'), 'odd');
    } else if (isRepository && (await this.#isTargetInUse())) {
      this.#note(locksPrefix, notDeleted('somebody is at work in the target'), 'odd');
    } else {
      for (const stage of stages) {
        if (isRepository && this.problems.some(({ gravity }) => gravity === 'lost')) return;
        await this.#forEach(inventory.planned(stage, { deletes: true }), (change) => this.#delete(change));
      }
    }
  }

  async #isTargetInUse(): Promise<boolean> {
    const { to, clock, signal } = this.#options;
    for await (const { modifiedAt } of to.list(locksPrefix, { signal }))
      if (!modifiedAt || modifiedAt.getTime() > clock.nowMs() - lockLifeMs) return true;
    return false;
  }

  /** Goes to the trash first. Where the place keeps versions, these stay. */
  async #delete(change: Change): Promise<void> {
    if (change.action !== 'delete') return;
    const { to, deletes, signal } = this.#options;
    const { name } = change;
    if (deletes?.trash !== undefined) await this.#moveToTrash(`${deletes.trash}${name}`, change.to);
    await (to.retention ? to.retention.hide(name, { signal }) : to.delete(name, { signal }));
    this.counts.deleted++;
  }

  async #moveToTrash(trashName: string, { name, sizeBytes, etag }: FileInfo): Promise<void> {
    const { to, signal } = this.#options;
    if (to.copies)
      await to.copies.copy(trashName, { address: to.copies.addressOf(name), sizeBytes, etag }, { signal });
    else {
      const open = (): AsyncIterable<Uint8Array> => to.read(name, undefined, { signal });
      await to.write(trashName, { open, sizeBytes }, { signal });
    }
    const kept = await to.stat(trashName, { signal });
    if (kept?.sizeBytes === sizeBytes) return;
    throw new WorkflowError('workflows.differs', `${name} did not arrive in the trash`, {
      hint: 'It was not deleted. Run it again, or give --no-trash.',
    });
  }

  /** Several at once. A file that fails is noted; what concerns the whole of a storage ends the work. */
  async #forEach(changes: Iterable<Change>, work: (change: Change) => Promise<void>): Promise<void> {
    const { from, to, signal } = this.#options;
    const most = Math.max(from.capabilities.concurrency, to.capabilities.concurrency);
    const bounds = { countMax: this.#options.filesAtOnce ?? most, bytesMax: heldBytesMax };
    await forEachWithin(changes, bounds, {
      weigh: (change) => (change.action === 'copy' ? Math.min(weightMax, change.from.sizeBytes) : weightMax),
      work: async (change) => {
        signal?.throwIfAborted();
        try {
          await work(change);
        } catch (error) {
          signal?.throwIfAborted();
          if (!(error instanceof HoldfastError) || concernsAll.includes(error.code)) throw error;
          this.#note(change.name, error);
        }
      },
    });
  }

  #note(path: string, error: Error, gravity: Problem['gravity'] = 'lost'): void {
    const problem: Problem = { path, error, gravity };
    this.problems.push(problem);
    this.#options.onProblem?.(problem);
    if (this.problems.length < problemsMax) return;
    throw new WorkflowError('workflows.too-many-problems', `${problemsMax} files could not be replicated`, {
      hint: 'Remove the cause of the problems above, then run it again; it goes on where it was.',
      cause: error,
    });
  }
}

/** They would fail every other file too, each after minutes of trying. */
const concernsAll: readonly string[] = [
  'storage.no-space',
  'storage.read-only',
  'storage.unreachable',
  'storage.interrupted',
  'workflows.too-many-problems',
];

function* firstOf<T>(items: Iterable<T>): Generator<T> {
  for (const item of items) {
    yield item;
    return;
  }
}

function incomplete(): WorkflowError {
  return new WorkflowError(
    'workflows.incomplete',
    'not copied, because files that they refer to are missing',
    {
      hint: 'Run it again when the problems above are solved; until then the target stays as sound as it was.',
    },
  );
}

function notDeleted(why: string): WorkflowError {
  return new WorkflowError('workflows.incomplete', `nothing was deleted, because ${why}`, {
    hint: 'Run it again later.',
  });
}

function untoldTags({ location }: Storage): WorkflowError {
  return new WorkflowError('workflows.incomplete', `the tags of files in ${location} could not be read`, {
    hint: 'Allow s3:GetObjectTagging there, if there are tags to keep.',
  });
}
