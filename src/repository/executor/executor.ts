import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Random, systemRandom } from '#base';
import { BlobTable, type BlobType, type TableSegment } from '../index/blob-table.ts';
import type { FinishedPack } from '../pack/pack-builder.ts';
import { type ArenaLayout, createArenaMemory } from './arena.ts';
import type { BufferPool } from './buffer-pool.ts';
import { Lane, type LaneOptions, type LaneResults, type LaneTask } from './lane.ts';

/** One lane as the pool drives it: tasks are answered in the order in which they were given. */
export interface LaneHandle {
  run<T extends LaneTask>(task: T): Promise<LaneResults[T['kind']]>;
  attachSegment(segment: TableSegment): void;
  close(): Promise<void>;
}

interface LaneSetup {
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
  /** The memory of one session; what lies in it at first may be anything. */
  takeMemory(sizeBytes: number): WebAssembly.Memory;
  /** The session has ended and its lanes are closed. */
  returnMemory(memory: WebAssembly.Memory): void;
  openLane(setup: LaneSetup): LaneHandle;
}

const lanesMax = 8;

/** One worker thread per core, at least 2 and at most 8. */
export function threadExecutor(
  lanes: number = Math.max(2, Math.min(lanesMax, availableParallelism())),
): Executor {
  return {
    lanes,
    tasksPerLane: 2,
    takeMemory: createArenaMemory,
    returnMemory: () => {},
    openLane: (setup) => new ThreadLane(setup),
  };
}

/**
 * Everything on the calling thread, with the randomness that is given. Memory is used again: a simulation opens
 * thousands of sessions.
 */
export function inlineExecutor(random: Random = systemRandom): Executor {
  return {
    lanes: 1,
    tasksPerLane: 1,
    takeMemory: takeIdleMemory,
    returnMemory: (memory) => idleMemories.push(memory),
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
        close: async () => lane.close(),
      };
    },
  };
}

/** Of inline executors that have ended a session. */
const idleMemories: WebAssembly.Memory[] = [];

function takeIdleMemory(sizeBytes: number): WebAssembly.Memory {
  const found = idleMemories.findIndex(({ buffer }) => buffer.byteLength >= sizeBytes);
  return found < 0 ? createArenaMemory(sizeBytes) : idleMemories.splice(found, 1)[0]!;
}

/**
 * A worker inherits the flags of the process, but does not start with `--input-type`, which is about the main script.
 * Flags that are given instead must be allowed for workers, so only those are given that our own files need.
 */
function workerFlags(extension: 'ts' | 'js'): { execArgv?: string[] } {
  if (!process.execArgv.some((flag) => flag.startsWith('--input-type'))) return {};
  return {
    execArgv: extension === 'ts' ? ['--conditions=src', '--disable-warning=ExperimentalWarning'] : [],
  };
}

class ThreadLane implements LaneHandle {
  readonly #worker: Worker;
  readonly #exit: Promise<void>;
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
      ...workerFlags(extension),
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
    this.#exit = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        if (!this.#closed) this.#fail(new Error(`a worker thread ended with code ${code}`));
        resolve();
      });
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

  /** Lets the lane end by itself: a thread that is terminated does not free its codec. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#worker.postMessage({ close: true });
    await this.#exit;
    this.#fail(new Error('the lane was closed'));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
