// A worker thread with one lane: tasks come in order, results go back in the same order.
import { parentPort, workerData } from 'node:worker_threads';
import { systemRandom } from '#base';
import { BlobTable, type TableSegment } from '../index/blob-table.ts';
import { type ArenaLayout, packBuffersOf } from './arena.ts';
import { BufferPool } from './buffer-pool.ts';
import { Lane, type LaneOptions, type LaneTask } from './lane.ts';

export interface LaneWorkerData {
  layout: ArenaLayout;
  memory: SharedArrayBuffer;
  lane: number;
  options: LaneOptions;
  segments: TableSegment[];
  buffers: SharedArrayBuffer;
}

export type ToLane = { task: LaneTask } | { segment: TableSegment } | { close: true };

const port = parentPort!;
const data = workerData as LaneWorkerData;
const table = BlobTable.attach(data.segments);
const buffers = new BufferPool(data.buffers);
const lane = new Lane({
  ...data,
  table,
  random: systemRandom,
  ports: {
    takeBuffer: (type) => buffers.takeBlocking(...packBuffersOf(data.layout, type)),
    onPack: (pack, type) => port.postMessage({ pack, type }),
  },
});

port.on('message', (message: ToLane) => {
  if ('segment' in message) {
    table.attachSegment(message.segment);
    return;
  }
  if ('close' in message) {
    lane.close();
    port.close();
    return;
  }
  try {
    port.postMessage({ result: lane.run(message.task) });
  } catch (error) {
    port.postMessage({ error });
  }
});
