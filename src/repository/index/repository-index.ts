import { sealOverheadBytes } from '../crypto/blob-codec.ts';
import type { BlobId, PackId } from '../format/ids.ts';
import type { UploadedPack } from '../pack/pack-uploader.ts';
import {
  type BlobLocation,
  BlobTable,
  type BlobType,
  idWords,
  idWordsOfHex,
  type TableEntry,
} from './blob-table.ts';
import type { CompactBlobs } from './compact-index.ts';
import { ExtraPlaces } from './extra-places.ts';
import { PackList } from './pack-list.ts';

const packsMin = 1024;

/** A pack that a prune has marked for deletion: its blobs may still be read, but nothing new may rely on them. */
export interface MarkedPack {
  id: PackId;
  /** Milliseconds since 1970; 0 when the index does not say. */
  markedAtMs: number;
  blobs: CompactBlobs;
}

/** What all index files together say: which blobs exist, and where. */
export class RepositoryIndex {
  readonly table: BlobTable;
  readonly packs = new PackList();
  /** Of blobs that lie in several packs; normally none, after a copy by another program very many. */
  readonly #copies = new ExtraPlaces();
  readonly #markedPacks: MarkedPack[] = [];
  /** Blobs of marked packs: the last resort of a reader. */
  #markedTable: BlobTable | undefined;
  /** End of the last blob of each pack, by number. */
  #packEnds = new Float64Array(packsMin);
  /** How often each pack is listed as one to be used, by number: marked packs 0, others once, seldom more. */
  #mentions = new Uint8Array(packsMin);

  /** @param blobCount how many blobs are expected */
  constructor(blobCount: number) {
    this.table = BlobTable.create(blobCount);
  }

  /** Every known place of a blob, best first; empty when it is unknown. */
  places(type: BlobType, id: BlobId): BlobLocation[] {
    const words = idWordsOfHex(id);
    const place = this.table.get(type, words);
    const copies = this.#copies.count > 0 ? this.#copies.of(this.table.slot(type, words)) : [];
    const marked = this.#markedTable?.get(type, words);
    return [...(place ? [place] : []), ...copies, ...(marked ? [marked] : [])];
  }

  /** Plain bytes of a blob, or undefined when it is unknown. */
  plainSize(type: BlobType, id: BlobId): number | undefined {
    const place = this.places(type, id)[0];
    return place && plainSizeOf(place);
  }

  has(type: BlobType, id: BlobId): boolean {
    return this.table.has(type, idWordsOfHex(id));
  }

  /** Where the sealed blobs of a pack end, as far as the index knows. */
  packEnd(pack: number): number {
    return this.#packEnds[pack] ?? 0;
  }

  /** Gives a pack its number; a pack that stands in several index files keeps the first. */
  addPack(id: PackId): number {
    const pack = this.#numberOf(id);
    this.#mentions[pack] = Math.min(this.#mentions[pack]! + 1, 2);
    return pack;
  }

  /** Whether the pack is to be used: in an index file, and not only marked for deletion. */
  isLive(pack: number): boolean {
    return this.#mentions[pack]! > 0;
  }

  /** Whether several index files list the pack, as after a prune that was interrupted. */
  isRepeated(pack: number): boolean {
    return this.#mentions[pack]! > 1;
  }

  #numberOf(id: PackId): number {
    const pack = this.packs.add(id);
    if (pack >= this.#packEnds.length) {
      const ends = new Float64Array(this.#packEnds.length * 2);
      ends.set(this.#packEnds);
      this.#packEnds = ends;
      const mentions = new Uint8Array(ends.length);
      mentions.set(this.#mentions);
      this.#mentions = mentions;
    }
    return pack;
  }

  /** Enters a blob of a pack that `addPack` has numbered. */
  addBlob(
    type: BlobType,
    id: Int32Array,
    pack: number,
    offset: number,
    length: number,
    uncompressedLength: number,
  ): void {
    if (this.table.room === 0) this.table.addSegment(this.table.size);
    const isNew = this.table.add(type, id, pack, offset, length, uncompressedLength);
    // A pack may stand in two index files.
    if (!isNew && !isAt(this.table.get(type, id), pack, offset))
      this.#copies.add(this.table.slot(type, id), { pack, offset, length, uncompressedLength });
    this.#packEnds[pack] = Math.max(this.#packEnds[pack]!, offset + length);
  }

  get markedPacks(): readonly MarkedPack[] {
    return this.#markedPacks;
  }

  addMarkedPack(marked: MarkedPack): void {
    this.#markedPacks.push(marked);
    const pack = this.#numberOf(marked.id);
    this.#markedTable ??= BlobTable.create(marked.blobs.count);
    const table = this.#markedTable;
    if (table.room < marked.blobs.count) table.addSegment(Math.max(table.size, marked.blobs.count));
    marked.blobs.forEach((type, id, offset, length, uncompressedLength) => {
      table.add(type, id, pack, offset, length, uncompressedLength);
      this.#packEnds[pack] = Math.max(this.#packEnds[pack]!, offset + length);
    });
  }

  /** Gives the blobs of a pack of ours, which were claimed, their places. */
  placePack(pack: UploadedPack): void {
    const number = this.addPack(pack.id);
    for (const entry of pack.entries) {
      const { offset, length, uncompressedLength } = entry;
      this.table.place(entry.type, idWords(entry.id), { pack: number, offset, length, uncompressedLength });
      this.#packEnds[number] = Math.max(this.#packEnds[number]!, offset + length);
    }
  }

  /** Every place of every blob, further copies included; blobs of marked packs are left out. */
  forEachCopy(visit: (type: BlobType, id: Int32Array, place: BlobLocation) => void): void {
    this.table.forEach(visit);
    this.forEachExtraCopy(visit);
  }

  /** Every place but the first of blobs that lie in several packs. */
  forEachExtraCopy(visit: (type: BlobType, id: Int32Array, place: BlobLocation) => void): void {
    this.forEachCopied(({ type, id, copies }) => {
      for (const copy of copies) visit(type, id, copy);
    });
  }

  /** Every blob that lies in several packs. The id's words are valid during the call only. */
  forEachCopied(visit: (blob: CopiedBlob) => void): void {
    for (const slot of this.#copies.slots())
      visit({ ...this.table.entryAt(slot), slot, copies: this.#copies.of(slot) });
  }

  /** How many places there are beside the first ones. */
  get copyCount(): number {
    return this.#copies.count;
  }
}

/** A blob that lies in several packs. */
interface CopiedBlob extends TableEntry {
  slot: number;
  /** All places but `location`. */
  copies: readonly BlobLocation[];
}

function isAt(place: BlobLocation | undefined, pack: number, offset: number): boolean {
  return place?.pack === pack && place.offset === offset;
}

/** Plain bytes of the blob at this place. */
export function plainSizeOf({ length, uncompressedLength }: BlobLocation): number {
  return uncompressedLength || length - sealOverheadBytes;
}
