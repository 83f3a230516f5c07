import type { BlobTable, BlobType } from '../index/blob-table.ts';
import type { FinishedPack } from '../pack/pack-builder.ts';
import { type ArenaLayout, planArena } from './arena.ts';
import { BufferPool } from './buffer-pool.ts';
import type { Executor, LaneHandle } from './executor.ts';
import type { LaneOptions, LaneResults, LaneTask } from './lane.ts';
import { SlotPool } from './slot-pool.ts';

export interface LanePoolOptions extends LaneOptions {
  executor: Executor;
  table: BlobTable;
  packSizeTarget: number;
  /** Packs that may wait for their upload while lanes fill others. */
  uploads: number;
  /** Slots beyond one per lane. */
  extraSlots: number;
  onPack(pack: FinishedPack, type: BlobType): void;
}

interface Job {
  task: LaneTask;
  blobs: number;
  resolve(result: never): void;
  reject(error: unknown): void;
}

/** Free pack buffers that an inline lane may need for one task: the one it begins and the one after it. */
const buffersPerTask = 2;
/** How much a full table grows by, as a share of what it holds. */
const tableGrowth = 0.5;
const tableGrowthMin = 64 * 1024;

/** Lanes over one arena: tasks go to the lane with the least to do; lanes start when there is work for them. */
export class LanePool {
  readonly layout: ArenaLayout;
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array;
  readonly slots: SlotPool;
  readonly #options: LanePoolOptions;
  readonly #buffers: BufferPool;
  readonly #lanes: { handle: LaneHandle; tasks: number }[] = [];
  readonly #queue: Job[] = [];
  #blobsUnderWay = 0;
  #failure: unknown;
  #isClosed = false;

  constructor(options: LanePoolOptions) {
    const { executor } = options;
    this.#options = options;
    this.layout = planArena({
      lanes: executor.lanes,
      packSizeTarget: options.packSizeTarget,
      // Every lane may hold one of each type; with fewer beside them, an inline lane would wait for ever.
      packBuffers: 2 * executor.lanes + Math.max(buffersPerTask, options.uploads),
      slots: executor.lanes + options.extraSlots,
    });
    this.memory = executor.takeMemory(this.layout.totalBytes);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.slots = new SlotPool(this.layout.slots);
    this.#buffers = new BufferPool(this.layout.packBuffers);
  }

  /** Gives a task to a lane. @param blobs how many new blobs it may claim */
  run<T extends LaneTask>(task: T, blobs = 0): Promise<LaneResults[T['kind']]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#queue.push({ task, blobs, resolve, reject });
      this.#pump();
    });
  }

  /** Ends the open packs of all lanes; their `onPack` has been called when this resolves. */
  async finishPacks(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    await Promise.all(this.#lanes.map((lane) => lane.handle.run({ kind: 'finish' })));
  }

  /** A pack buffer for reading into, or -1 when all are in use. Give it back by `releaseBuffer`. */
  tryTakeBuffer(): number {
    return this.#buffers.tryTake();
  }

  releaseBuffer(buffer: number): void {
    this.#buffers.release(buffer);
    this.#pump();
  }

  /** Refuses everything from now on, and ends every wait for a buffer or a slot. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#buffers.abandon();
    this.slots.fail(this.#failure);
    for (const job of this.#queue.splice(0)) job.reject(this.#failure);
  }

  async close(): Promise<void> {
    this.fail(new Error('the lanes were closed'));
    await Promise.all(this.#lanes.splice(0).map((lane) => lane.handle.close()));
    const isIdle = this.slots.isIdle && this.#buffers.freeCount === this.layout.packBuffers;
    // After a failure a late read may still write into the memory.
    if (isIdle && !this.#isClosed) this.#options.executor.returnMemory(this.memory);
    this.#isClosed = true;
  }

  #pump(): void {
    while (this.#queue.length > 0) {
      const lane = this.#chooseLane();
      if (!lane || !this.#makeRoom(this.#queue[0]!)) return;
      void this.#start(lane, this.#queue.shift()!);
    }
  }

  async #start(lane: { handle: LaneHandle; tasks: number }, job: Job): Promise<void> {
    lane.tasks++;
    this.#blobsUnderWay += job.blobs;
    try {
      job.resolve((await lane.handle.run(job.task)) as never);
    } catch (error) {
      job.reject(this.#failure ?? error);
    } finally {
      lane.tasks--;
      this.#blobsUnderWay -= job.blobs;
      this.#pump();
    }
  }

  #chooseLane(): { handle: LaneHandle; tasks: number } | undefined {
    const { executor } = this.#options;
    const idlest = this.#lanes.toSorted((a, b) => a.tasks - b.tasks)[0];
    if (idlest && idlest.tasks === 0) return idlest;
    if (this.#lanes.length < executor.lanes) return this.#openLane();
    return idlest && idlest.tasks < executor.tasksPerLane ? idlest : undefined;
  }

  #openLane(): { handle: LaneHandle; tasks: number } {
    const { executor, onPack, table, key, compression, verify } = this.#options;
    const handle = executor.openLane({
      layout: this.layout,
      memory: this.memory.buffer as unknown as SharedArrayBuffer,
      lane: this.#lanes.length,
      options: { key, compression, verify },
      table,
      buffers: this.#buffers,
      onPack,
    });
    const lane = { handle, tasks: 0 };
    this.#lanes.push(lane);
    return lane;
  }

  /** Whether the job may start now: there must be buffers (for a lane that cannot wait) and room in the table. */
  #makeRoom(job: Job): boolean {
    const { executor, table } = this.#options;
    const storesBlobs = job.blobs > 0;
    if (storesBlobs && executor.tasksPerLane === 1 && this.#buffers.freeCount < buffersPerTask) return false;
    if (table.room >= this.#blobsUnderWay + job.blobs) return true;
    // Two lanes that see different segments could both claim a blob, so a segment is added in a quiet moment.
    if (this.#blobsUnderWay > 0) return false;
    const segment = table.addSegment(
      Math.max(tableGrowthMin, job.blobs * 2, Math.ceil(table.size * tableGrowth)),
    );
    for (const lane of this.#lanes) lane.handle.attachSegment(segment);
    return true;
  }
}
