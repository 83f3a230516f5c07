import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import type { PackId } from '../format/ids.ts';
import type { RepositoryIndex } from '../index/repository-index.ts';
import { packTrailerBytes } from '../pack/pack-header.ts';
import type { Repository } from '../repository.ts';
import { listStored } from '../unpacked-raw.ts';
import type { Finding } from './finding.ts';

/** A pack that is there and holds blobs by the index. */
export interface KnownPack {
  number: number;
  id: PackId;
  sizeBytes: number;
}

export interface KnownPacks {
  found: KnownPack[];
  /** Numbers of packs that are marked for deletion and gone already: what lies in no other pack is lost. */
  goneMarked: ReadonlySet<number>;
}

/** Compares the packs in the storage with the index, without reading them. */
export async function checkPacks(
  repository: Repository,
  index: RepositoryIndex,
  report: (finding: Finding) => void,
  signal?: AbortSignal,
): Promise<KnownPacks> {
  const facts = packFacts(index);
  const unseen = new Map<PackId, number>();
  for (let number = 0; number < index.packs.count; number++) unseen.set(index.packs.idOf(number), number);
  const found: KnownPack[] = [];
  for await (const { id, sizeBytes } of listStored(repository.storage, 'data', signal ? { signal } : {})) {
    const number = unseen.get(id);
    if (number === undefined) {
      report({
        gravity: 'hint',
        code: 'pack-unknown',
        pack: id,
        message: `pack ${short(id)} is in no index file; a prune will remove it`,
      });
      continue;
    }
    unseen.delete(id);
    // A pack with nothing but a mark waits for its deletion.
    if (facts.blobs[number] === 0) continue;
    found.push({ number, id, sizeBytes });
    reportSize(facts, { number, id, sizeBytes }, report);
  }
  const goneMarked = new Set<number>();
  for (const [id, number] of unseen) {
    if (!index.isLive(number)) goneMarked.add(number);
    if (facts.blobs[number] === 0) continue;
    report({
      gravity: 'error',
      code: 'pack-missing',
      pack: id,
      message: `pack ${short(id)} is missing from the storage`,
    });
  }
  return { found, goneMarked };
}

interface PackFacts {
  /** By pack number: sealed bytes, bytes of header entries, blobs, and whether both types occur (3). */
  bytes: Float64Array;
  headers: Float64Array;
  blobs: Float64Array;
  types: Uint8Array;
}

function packFacts(index: RepositoryIndex): PackFacts {
  const count = index.packs.count;
  const facts = {
    bytes: new Float64Array(count),
    headers: new Float64Array(count),
    blobs: new Float64Array(count),
    types: new Uint8Array(count),
  };
  index.forEachCopy((type, _id, place) => {
    facts.bytes[place.pack]! += place.length;
    facts.headers[place.pack]! += place.uncompressedLength === 0 ? 37 : 41;
    facts.blobs[place.pack]!++;
    facts.types[place.pack]! |= type === 'tree' ? 2 : 1;
  });
  return facts;
}

/** How long each pack, by number, must be by what the index lists of it; packs that are only marked have no entries here. */
export function sizesByIndex(index: RepositoryIndex): (pack: number) => number {
  const facts = packFacts(index);
  return (pack) => sizeOf(facts, pack);
}

function sizeOf(facts: PackFacts, pack: number): number {
  return facts.bytes[pack]! + facts.headers[pack]! + sealOverheadBytes + packTrailerBytes;
}

function reportSize(facts: PackFacts, pack: KnownPack, report: (finding: Finding) => void): void {
  const { number, id, sizeBytes } = pack;
  const expected = sizeOf(facts, number);
  if (expected !== sizeBytes) {
    report({
      gravity: 'error',
      code: 'pack-size',
      pack: id,
      message: `pack ${short(id)} has ${sizeBytes} bytes, the index says ${expected}`,
    });
  }
  if (facts.types[number] === 3) {
    report({
      gravity: 'hint',
      code: 'pack-mixed',
      pack: id,
      message: `pack ${short(id)} holds data and trees; a prune will separate them`,
    });
  }
}

function short(id: string): string {
  return id.slice(0, 12);
}
