import assert from 'node:assert/strict';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { systemCodeOf } from '#base';
import type { BlobCodec, CodecOptions } from '../crypto/blob-codec.ts';
import { createBlobCodec } from '../crypto/create-codec.ts';
import { type BlobTable, type BlobType, idWords } from '../index/blob-table.ts';
import { type FinishedPack, PackBuilder } from '../pack/pack-builder.ts';
import { type ArenaLayout, laneFileBytes, lanePlaces } from './arena.ts';

/** What a lane needs beside memory; the same for all lanes of a repository. */
export interface LaneOptions {
  key: CodecOptions['key'];
  compression: CodecOptions['compression'];
  /** Open and re-hash each blob before its pack is uploaded. */
  verify: boolean;
}

/** Stores chunks that lie in a slot: `spans` holds offset and length of each, in turn. */
export interface StoreTask {
  kind: 'store';
  type: BlobType;
  spans: number[];
}

/** Reads and stores small files: each becomes one blob. */
export interface FilesTask {
  kind: 'files';
  paths: Uint8Array[];
}

/** Opens sealed blobs that lie in slots, checks their ids, and leaves the plaintext at `to`. */
export interface OpenTask {
  kind: 'open';
  blobs: {
    offset: number;
    length: number;
    uncompressedLength: number;
    id: string;
    to: number;
    capacity: number;
  }[];
}

/** Takes over sealed blobs that lie in a slot into new packs. Each must be new to the table. */
export interface CopyTask {
  kind: 'copy';
  type: BlobType;
  blobs: { offset: number; length: number; uncompressedLength: number; id: string }[];
}

/** Hashes a whole pack and verifies each blob in it. */
export interface VerifyTask {
  kind: 'verify';
  offset: number;
  length: number;
  blobs: { offset: number; length: number; uncompressedLength: number; id: string }[];
}

interface FinishTask {
  kind: 'finish';
}

export type LaneTask = StoreTask | FilesTask | OpenTask | CopyTask | VerifyTask | FinishTask;

/** Outcome of one small file: its size (0: no blob), or why it is not stored here. */
export type FileOutcome = { sizeBytes: number } | { grown: true } | { code: string; message: string };

export interface LaneResults {
  /** 32 bytes of id for each span. */
  store: Uint8Array;
  /** One outcome and 32 bytes of id for each path. */
  files: { outcomes: FileOutcome[]; ids: Uint8Array };
  /** Lengths of the plaintexts; -1 for a damaged blob. */
  open: number[];
  /** Positions of the blobs that are damaged and were not taken. */
  copy: number[];
  /** Hex of the pack's hash, and the positions of the damaged blobs in the task's list. */
  verify: { hash: string; damaged: number[] };
  finish: undefined;
}

/** Where a lane gets pack buffers and hands over full ones. */
export interface LanePorts {
  takeBuffer(type: BlobType): number;
  onPack(pack: FinishedPack, type: BlobType): void;
}

const maxReads = 1000;

/** One worker's share: hashes, dedups, compresses, seals and verifies blobs, and fills packs. Synchronous. */
export class Lane {
  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;
  readonly #codec: BlobCodec;
  readonly #places: { scratch: number; id: number; file: number };
  readonly #table: BlobTable;
  readonly #ports: LanePorts;
  readonly #options: LaneOptions;
  readonly #builders: Record<BlobType, PackBuilder>;

  constructor(setup: {
    layout: ArenaLayout;
    memory: SharedArrayBuffer;
    lane: number;
    options: LaneOptions;
    table: BlobTable;
    random: CodecOptions['random'];
    ports: LanePorts;
  }) {
    const { layout, memory } = setup;
    this.#bytes = new Uint8Array(memory);
    this.#buffer = Buffer.from(memory);
    this.#places = lanePlaces(layout, setup.lane);
    this.#table = setup.table;
    this.#ports = setup.ports;
    this.#options = setup.options;
    this.#codec = createBlobCodec({
      memory,
      scratch: this.#places.scratch,
      key: setup.options.key,
      random: setup.random,
      compression: setup.options.compression,
    });
    const codec = this.#codec;
    this.#builders = {
      data: new PackBuilder({ layout, memory, codec, type: 'data' }),
      tree: new PackBuilder({ layout, memory, codec, type: 'tree' }),
    };
  }

  run<T extends LaneTask>(task: T): LaneResults[T['kind']];
  run(task: LaneTask): LaneResults[LaneTask['kind']] {
    switch (task.kind) {
      case 'store':
        return this.#store(task);
      case 'files':
        return this.#files(task);
      case 'open':
        return task.blobs.map((blob) => this.#open(blob));
      case 'copy':
        return this.#copy(task);
      case 'verify':
        return this.#verify(task);
      case 'finish':
        this.#finish('data');
        this.#finish('tree');
        return undefined;
    }
  }

  /** No task may follow. */
  close(): void {
    this.#codec.close();
  }

  #store(task: StoreTask): Uint8Array {
    const { spans } = task;
    const ids = new Uint8Array((spans.length / 2) * 32);
    for (let i = 0; i < spans.length; i += 2) {
      this.#storeBlob(task.type, spans[i]!, spans[i + 1]!);
      ids.set(this.#bytes.subarray(this.#places.id, this.#places.id + 32), i * 16);
    }
    return ids;
  }

  /** Leaves the blob's id in this lane's id place. */
  #storeBlob(type: BlobType, offset: number, length: number): void {
    const idAt = this.#places.id;
    this.#codec.hash(offset, length, idAt);
    if (!this.#table.claim(type, idWords(this.#bytes, idAt))) return;
    const builder = this.#builders[type];
    if (builder.needsBuffer) builder.begin(this.#ports.takeBuffer(type));
    // Trees are always compressed, as restic's; data only where it saves something.
    const compress =
      type === 'tree' ? 'always' : this.#options.compression === 'off' ? 'never' : 'if-smaller';
    const isFull = builder.add(offset, length, idAt, { compress, verify: this.#options.verify });
    if (isFull) this.#finish(type);
  }

  #finish(type: BlobType): void {
    const pack = this.#builders[type].finish();
    if (pack) this.#ports.onPack(pack, type);
  }

  #files(task: FilesTask): LaneResults['files'] {
    const ids = new Uint8Array(task.paths.length * 32);
    const outcomes = task.paths.map((path, i): FileOutcome => {
      let size: number;
      try {
        size = this.#readSmallFile(path);
      } catch (error) {
        const code = systemCodeOf(error);
        if (code === undefined) throw error;
        return { code, message: (error as Error).message };
      }
      if (size >= laneFileBytes) return { grown: true };
      if (size > 0) {
        this.#storeBlob('data', this.#places.file, size);
        ids.set(this.#bytes.subarray(this.#places.id, this.#places.id + 32), i * 32);
      }
      return { sizeBytes: size };
    });
    return { outcomes, ids };
  }

  /** Reads a file into this lane's place; a result of `laneFileBytes` means that it may be longer. */
  #readSmallFile(path: Uint8Array): number {
    const fd = openSync(
      Buffer.from(path.buffer, path.byteOffset, path.length),
      // Without O_NONBLOCK a FIFO that has taken the file's place would block this lane for ever.
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      let size = 0;
      for (let reads = 0; reads < maxReads && size < laneFileBytes; reads++) {
        const got = readSync(fd, this.#buffer, this.#places.file + size, laneFileBytes - size, null);
        if (got === 0 && size === 0) requireFile(fd);
        if (got === 0) return size;
        size += got;
      }
      return laneFileBytes;
    } finally {
      closeSync(fd);
    }
  }

  #open(blob: OpenTask['blobs'][number]): number {
    const { offset, length, uncompressedLength, to, capacity } = blob;
    const size = this.#codec.open(offset, length, uncompressedLength, to, capacity);
    if (size < 0) return -1;
    this.#codec.hash(to, size, this.#places.id);
    return this.#idMatches(blob.id) ? size : -1;
  }

  #copy(task: CopyTask): number[] {
    const builder = this.#builders[task.type];
    const damaged: number[] = [];
    task.blobs.forEach((blob, i) => {
      if (builder.needsBuffer) builder.begin(this.#ports.takeBuffer(task.type));
      this.#buffer.write(blob.id, this.#places.id, 'hex');
      const isFull = builder.addSealed(blob.offset, blob, this.#places.id);
      if (isFull === undefined) {
        damaged.push(i);
        return;
      }
      const isNew = this.#table.claim(task.type, idWords(this.#bytes, this.#places.id));
      assert(isNew, 'a blob was copied twice');
      if (isFull) this.#finish(task.type);
    });
    return damaged;
  }

  #verify(task: VerifyTask): LaneResults['verify'] {
    this.#codec.hash(task.offset, task.length, this.#places.id);
    const hash = this.#buffer.toString('hex', this.#places.id, this.#places.id + 32);
    const damaged: number[] = [];
    task.blobs.forEach((blob, i) => {
      this.#buffer.write(blob.id, this.#places.id, 'hex');
      const { offset, length, uncompressedLength } = blob;
      if (!this.#codec.verify(offset, length, uncompressedLength, this.#places.id)) damaged.push(i);
    });
    return { hash, damaged };
  }

  #idMatches(id: string): boolean {
    return this.#buffer.toString('hex', this.#places.id, this.#places.id + 32) === id;
  }
}

/** What gives no bytes may be another thing by now, such as a FIFO. */
function requireFile(fd: number): void {
  if (!fstatSync(fd).isFile())
    throw Object.assign(new Error('is no regular file any more'), { code: 'ENXIO' });
}
