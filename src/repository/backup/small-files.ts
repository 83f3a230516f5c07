import type { FileOutcome } from '../executor/lane.ts';
import type { LanePool } from '../executor/lane-pool.ts';

/** One small file on its way; `done` gets its outcome and, for a stored one, its id in hex. */
export interface SmallFile {
  localPath: Uint8Array;
  /** As the walk saw it; for the size of batches only. */
  sizeBytes: number;
  done(outcome: FileOutcome, id: string): void;
}

const batchFilesMax = 48;
const batchBytesMax = 4 * 1024 * 1024;
/** Batches that wait beyond those the lanes hold. */
const batchesAhead = 1;

/** Collects small files into batches that a lane reads and stores by itself. */
export class SmallFiles {
  readonly #pool: LanePool;
  readonly #underWayMax: number;
  readonly #batchBytesMax: number;
  readonly #underWay = new Set<Promise<void>>();
  #batch: SmallFile[] = [];
  #batchBytes = 0;
  #failure: unknown;

  constructor(pool: LanePool) {
    this.#pool = pool;
    this.#underWayMax = pool.layout.lanes + batchesAhead;
    // An inline lane has room for two packs, and cannot wait for more in the middle of a batch.
    this.#batchBytesMax = Math.min(batchBytesMax, pool.layout.packSizeTarget / 2);
  }

  /** Takes a file; waits while the lanes are far behind. */
  async add(file: SmallFile): Promise<void> {
    this.#batch.push(file);
    this.#batchBytes += file.sizeBytes;
    if (this.#batch.length >= batchFilesMax || this.#batchBytes >= this.#batchBytesMax) this.#send();
    while (this.#underWay.size >= this.#underWayMax) await Promise.race(this.#underWay);
    this.#throwFailure();
  }

  /** Sends what is collected and waits for every outcome. */
  async drain(): Promise<void> {
    this.#send();
    await Promise.all(this.#underWay);
    this.#throwFailure();
  }

  #send(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    const run = this.#store(batch)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#underWay.delete(run));
    this.#underWay.add(run);
  }

  async #store(batch: SmallFile[]): Promise<void> {
    const task = { kind: 'files' as const, paths: batch.map((file) => file.localPath) };
    const { outcomes, ids } = await this.#pool.run(task, batch.length);
    const hex = Buffer.from(ids.buffer).toString('hex');
    batch.forEach((file, i) => {
      file.done(outcomes[i]!, hex.slice(i * 64, i * 64 + 64));
    });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
