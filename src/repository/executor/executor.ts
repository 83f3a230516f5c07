import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Random, systemRandom } from '#base';
import { BlobTable, type BlobType, type TableSegment } from '../index/blob-table.ts';
import type { FinishedPack } from '../pack/pack-builder.ts';
import type { ArenaLayout } from './arena.ts';
import type { BufferPool } from './buffer-pool.ts';
import { Lane, type LaneOptions, type LaneResults, type LaneTask } from './lane.ts';

/** One lane as the pool drives it: tasks are answered in the order in which they were given. */
export interface LaneHandle {
  run<T extends LaneTask>(task: T): Promise<LaneResults[T['kind']]>;
  attachSegment(segment: TableSegment): void;
  close(): Promise<void>;
}

export interface LaneSetup {
  layout: ArenaLayout;
  memory: SharedArrayBuffer;
  lane: number;
  options: LaneOptions;
  table: BlobTable;
  buffers: BufferPool;
  onPack(pack: FinishedPack, type: BlobType): void;
}

/** Who does the work on blobs: worker threads in life, this thread in simulations (so that a seed repeats). */
export interface Executor {
  readonly lanes: number;
  /** Tasks that a lane may hold at once; more than one hides the way of a message. */
  readonly tasksPerLane: number;
  openLane(setup: LaneSetup): LaneHandle;
}

const lanesMax = 8;

/** One worker thread per core, at least 2 and at most 8. */
export function threadExecutor(
  lanes: number = Math.max(2, Math.min(lanesMax, availableParallelism())),
): Executor {
  return { lanes, tasksPerLane: 2, openLane: (setup) => new ThreadLane(setup) };
}

/** Everything on the calling thread, with the randomness that is given. */
export function inlineExecutor(random: Random = systemRandom): Executor {
  return {
    lanes: 1,
    tasksPerLane: 1,
    openLane: (setup) => {
      const table = BlobTable.attach(setup.table.segments);
      const lane = new Lane({
        ...setup,
        table,
        random,
        ports: {
          takeBuffer: () => {
            const buffer = setup.buffers.tryTake();
            if (buffer < 0) throw new Error('an inline lane was started without a free pack buffer');
            return buffer;
          },
          onPack: setup.onPack,
        },
      });
      return {
        run: async (task) => lane.run(task),
        attachSegment: (segment) => table.attachSegment(segment),
        close: async () => {},
      };
    },
  };
}

/** Young generation of a lane's heap: it makes hardly any garbage, and its default size is memory for nothing. */
const laneYoungMiB = 2;

class ThreadLane implements LaneHandle {
  readonly #worker: Worker;
  readonly #waiting: { resolve(result: never): void; reject(error: unknown): void }[] = [];
  #failure: unknown;
  #closed = false;

  constructor(setup: LaneSetup) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./lane-worker.${extension}`, import.meta.url), {
      workerData: {
        layout: setup.layout,
        memory: setup.memory,
        lane: setup.lane,
        options: setup.options,
        segments: setup.table.segments,
        buffers: setup.buffers.shared,
      },
      resourceLimits: { maxYoungGenerationSizeMb: laneYoungMiB },
    });
    this.#worker.on(
      'message',
      (message: { pack: FinishedPack; type: BlobType } | { result: never } | { error: unknown }) => {
        if ('pack' in message) setup.onPack(message.pack, message.type);
        else if ('error' in message) this.#waiting.shift()!.reject(message.error);
        else this.#waiting.shift()!.resolve(message.result);
      },
    );
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => {
      if (!this.#closed) this.#fail(new Error(`a worker thread ended with code ${code}`));
    });
  }

  run<T extends LaneTask>(task: T): Promise<LaneResults[T['kind']]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage({ task });
    });
  }

  attachSegment(segment: TableSegment): void {
    this.#worker.postMessage({ segment });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker.terminate();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
