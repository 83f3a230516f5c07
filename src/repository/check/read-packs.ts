import { messageOf } from '#base';
import { readInto, StorageError } from '#storage';
import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import { RepositoryError } from '../errors.ts';
import { packPlaces } from '../executor/arena.ts';
import { LanePool } from '../executor/lane-pool.ts';
import { forEachAtOnce } from '../for-each-at-once.ts';
import { nameOf } from '../format/names.ts';
import { open } from '../format/sealed.ts';
import { type PackBlob, PackContents } from '../index/pack-contents.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { packTrailerBytes, readPackHeader } from '../pack/pack-header.ts';
import type { Repository } from '../repository.ts';
import type { KnownPack } from './check-packs.ts';
import type { Finding } from './finding.ts';

export interface ReadProgress {
  packsDone: number;
  bytesDone: number;
}

/** Packs that are read while others are verified. */
const readAhead = 2;
/** A mismatch may be a fault of the transfer: a pack is read once more before it is called damaged. */
const attemptsMax = 2;
/** The largest packs that restic can be told to make. */
const packBytesMax = 128 * 1024 * 1024;

/**
 * Reads packs whole: the hash of the file is its name, the header says what the index says, there is nothing
 * between the blobs, and each blob opens to its id.
 */
export async function readPacks(
  repository: Repository,
  index: RepositoryIndex,
  packs: readonly KnownPack[],
  report: (finding: Finding) => void,
  progress: ReadProgress,
  signal?: AbortSignal,
): Promise<void> {
  const largest = packs.reduce((max, { sizeBytes }) => Math.max(max, sizeBytes), 0);
  if (packs.length === 0) return;
  const pool = new LanePool({
    executor: repository.executor,
    table: index.table,
    key: repository.key.key,
    compression: 'auto',
    verify: false,
    packSizeTarget: Math.min(largest, packBytesMax),
    uploads: readAhead,
    extraSlots: 0,
    onPack: () => {
      throw new Error('a check wrote a pack');
    },
  });
  const checker = new PackChecker(repository, index, pool, report);
  try {
    await forEachAtOnce(packs, repository.executor.lanes + readAhead, async (pack) => {
      signal?.throwIfAborted();
      await checker.check(pack, signal);
      progress.packsDone++;
      progress.bytesDone += pack.sizeBytes;
    });
  } finally {
    await pool.close();
  }
}

class PackChecker {
  readonly #repository: Repository;
  readonly #pool: LanePool;
  readonly #report: (finding: Finding) => void;
  readonly #contents: PackContents;

  constructor(
    repository: Repository,
    index: RepositoryIndex,
    pool: LanePool,
    report: (finding: Finding) => void,
  ) {
    this.#repository = repository;
    this.#pool = pool;
    this.#report = report;
    this.#contents = new PackContents(index);
  }

  async check(pack: KnownPack, signal: AbortSignal | undefined): Promise<void> {
    const blobs = this.#contents.blobsOf(pack.number);
    let findings: Finding[] = [];
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      findings = await this.#findingsOf(pack, blobs, signal);
      if (findings.length === 0) return;
    }
    for (const finding of findings) this.#report(finding);
  }

  async #findingsOf(pack: KnownPack, blobs: PackBlob[], signal: AbortSignal | undefined): Promise<Finding[]> {
    const buffer = this.#pool.tryTakeBuffer();
    if (buffer < 0) throw new Error('more packs are read than there are buffers');
    try {
      const at = packPlaces(this.#pool.layout, buffer).body;
      if (pack.sizeBytes > this.#pool.layout.packBufferBytes) {
        return [
          fault(pack, 'unreadable', `it has ${pack.sizeBytes} bytes, more than this version can check`),
        ];
      }
      await this.#readInto(at, pack, signal);
      return await this.#verify(pack, blobs, at);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof StorageError)) throw error;
      const isGone = error.code === 'storage.not-found' || error.code === 'storage.range';
      return [fault(pack, isGone ? 'pack-damaged' : 'unreadable', messageOf(error))];
    } finally {
      this.#pool.releaseBuffer(buffer);
    }
  }

  async #readInto(at: number, pack: KnownPack, signal: AbortSignal | undefined): Promise<void> {
    const range = { offset: 0, length: pack.sizeBytes };
    const target = this.#pool.bytes.subarray(at, at + pack.sizeBytes);
    await readInto(this.#repository.storage, nameOf('data', pack.id), { range, target, signal });
  }

  async #verify(pack: KnownPack, blobs: PackBlob[], at: number): Promise<Finding[]> {
    const findings: Finding[] = [];
    const layoutFault = this.#layoutFault(pack, blobs, at);
    if (layoutFault) findings.push(fault(pack, 'pack-damaged', layoutFault));
    const inside = blobs.filter((blob) => blob.offset + blob.length <= pack.sizeBytes);
    const { hash, damaged } = await this.#pool.run({
      kind: 'verify',
      offset: at,
      length: pack.sizeBytes,
      blobs: inside.map(({ offset, length, uncompressedLength, id }) => ({
        offset: at + offset,
        length,
        uncompressedLength,
        id,
      })),
    });
    if (hash !== pack.id) findings.push(fault(pack, 'pack-damaged', 'its content does not hash to its name'));
    const outside = blobs.filter((blob) => blob.offset + blob.length > pack.sizeBytes);
    for (const blob of [...damaged.map((i) => inside[i]!), ...outside]) {
      findings.push({
        gravity: 'error',
        code: 'blob-damaged',
        pack: pack.id,
        blob: blob.id,
        message: `the ${blob.type} blob ${blob.id.slice(0, 12)} in pack ${pack.id.slice(0, 12)} is damaged`,
      });
    }
    return findings;
  }

  /** What is wrong with the header and the places of the blobs, or undefined. */
  #layoutFault(pack: KnownPack, blobs: PackBlob[], at: number): string | undefined {
    const end = at + pack.sizeBytes;
    if (pack.sizeBytes < packTrailerBytes) return 'it is too short for a pack';
    const length = Buffer.from(this.#pool.bytes.slice(end - packTrailerBytes, end)).readUInt32LE();
    const headerAt = end - packTrailerBytes - length;
    if (length <= sealOverheadBytes || headerAt < at) return 'the length of its header is impossible';
    let header: ReturnType<typeof readPackHeader>;
    try {
      header = readPackHeader(
        open(this.#repository.key.key, this.#pool.bytes.slice(headerAt, headerAt + length)),
      );
    } catch (error) {
      if (error instanceof RepositoryError) return 'its header does not open';
      throw error;
    }
    if (!header) return 'its header is malformed';
    if (header.length !== blobs.length)
      return `its header lists ${header.length} blobs, the index ${blobs.length}`;
    let offset = 0;
    for (const [i, entry] of header.entries()) {
      const blob = blobs[i]!;
      if (blob.offset !== offset) return `there is a gap or an overlap at byte ${offset}`;
      const isSame =
        entry.length === blob.length &&
        entry.type === blob.type &&
        entry.uncompressedLength === blob.uncompressedLength &&
        Buffer.from(entry.id).toString('hex') === blob.id;
      if (!isSame) return `its header and the index differ at byte ${offset}`;
      offset += blob.length;
    }
    return headerAt - at === offset ? undefined : 'there are bytes between the last blob and the header';
  }
}

function fault(pack: KnownPack, code: 'pack-damaged' | 'unreadable', what: string): Finding {
  return {
    gravity: 'error',
    code,
    pack: pack.id,
    message: `pack ${pack.id.slice(0, 12)}: ${what}`,
  };
}
