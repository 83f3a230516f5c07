import { chunkerDataStart, chunkSizeMax, chunkSizeMin } from '../chunker/chunker.ts';
import { codecScratchBytes, sealedSizeMax, sealOverheadBytes } from '../crypto/blob-codec.ts';
import type { BlobType } from '../index/blob-table.ts';
import { packEntrySizeMax, packTrailerBytes } from '../pack/pack-header.ts';

/** Entries of one pack at most, so that its header stays far below restic's limit. */
export const packEntryCountMax = 32 * 1024;

const headerBytesMax = packEntryCountMax * packEntrySizeMax;
const pageBytes = 64 * 1024;

/** A lane's own memory: its codec's, an id, and room for one small file. */
const laneBytes = codecScratchBytes + 4096 + chunkSizeMin + pageBytes;

/** Room for one chunk, sealed or not, and what is read with it. */
export const slotBytes = sealedSizeMax(chunkSizeMax);

export interface ArenaOptions {
  lanes: number;
  /** A pack is closed once it has this size. */
  packSizeTarget: number;
  packBuffers: number;
  slots: number;
}

export interface ArenaLayout extends ArenaOptions {
  laneStart: number;
  packStart: number;
  packBufferBytes: number;
  slotStart: number;
  totalBytes: number;
}

/**
 * One shared memory for all bulk data, so that threads pass offsets and nothing is copied or collected.
 * Only pages that were used cost memory. Order: chunker tables, lanes, slots (input), pack buffers.
 */
export function planArena(options: ArenaOptions): ArenaLayout {
  const laneStart = chunkerDataStart;
  const slotStart = align(laneStart + options.lanes * align(laneBytes));
  const packStart = slotStart + options.slots * align(slotBytes);
  const packBufferBytes = align(
    packBodyMax(options) + 2 * (headerBytesMax + sealOverheadBytes) + packTrailerBytes,
  );
  const totalBytes = packStart + options.packBuffers * packBufferBytes;
  return { ...options, laneStart, packStart, packBufferBytes, slotStart, totalBytes };
}

/** The largest body: one blob may begin just below the target. */
function packBodyMax(options: ArenaOptions): number {
  return options.packSizeTarget + sealedSizeMax(chunkSizeMax);
}

export function createArenaMemory(sizeBytes: number): WebAssembly.Memory {
  const pages = Math.ceil(sizeBytes / pageBytes);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** Offsets of one lane's places. */
export function lanePlaces(layout: ArenaLayout, lane: number): { scratch: number; id: number; file: number } {
  const scratch = layout.laneStart + lane * align(laneBytes);
  return { scratch, id: scratch + codecScratchBytes, file: scratch + codecScratchBytes + 4096 };
}

/** Bytes that `lanePlaces().file` offers: a file that fills it is no small file. */
export const laneFileBytes = chunkSizeMin;

export function slotOffset(layout: ArenaLayout, slot: number): number {
  return layout.slotStart + slot * align(slotBytes);
}

/**
 * The buffers that lanes fill with blobs of a type, first and last + 1. The last ones, one for each lane, are kept for
 * trees: they stay almost empty, and pages that no pack of data ever touches cost no memory.
 */
export function packBuffersOf({ packBuffers, lanes }: ArenaLayout, type: BlobType): [number, number] {
  return type === 'data' ? [0, packBuffers - lanes] : [packBuffers - lanes, packBuffers];
}

/** Offsets of a pack buffer: the body, and behind all bodies the plaintext of the header. */
export function packPlaces(layout: ArenaLayout, buffer: number): { body: number; header: number } {
  const body = layout.packStart + buffer * layout.packBufferBytes;
  return { body, header: body + layout.packBufferBytes - align64(headerBytesMax) };
}

function align(bytes: number): number {
  return Math.ceil(bytes / pageBytes) * pageBytes;
}

function align64(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
