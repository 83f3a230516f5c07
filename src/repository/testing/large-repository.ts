import { hash, randomFillSync } from 'node:crypto';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemRandom } from '#base';
import type { BlobId, PackId } from '../format/ids.ts';
import { idOf } from '../format/ids.ts';
import { nameOf } from '../format/names.ts';
import { seal } from '../format/sealed.ts';
import { compress } from '../format/zstd.ts';
import { encodeIndex, type IndexBlob, type IndexPack } from '../index/index-file.ts';
import { packEntrySizeMax, writePackEntry } from '../pack/pack-header.ts';
import { initRepository, type Repository } from '../repository.ts';

export interface LargeOptions {
  folder: string;
  password: string;
  blobCount: number;
  snapshotCount: number;
  /** Of all snapshots together; none of their trees is alike. */
  nodeCount: number;
}

const blobsPerPack = 64;
const blobsPerIndexFile = 50_000;
const nodesPerTree = 20;
const sealedBlobBytes = 256 * 1024;
const treePackBytes = 16 * 1024 * 1024;
/** Share of the packs that snapshots use. */
const usedShare = 0.9;

/**
 * A repository as years of backups leave it, without its data: index files, snapshots and trees are real, packs of
 * data are holes of the right size.
 */
export async function makeLargeRepository(options: LargeOptions): Promise<void> {
  rmSync(options.folder, { recursive: true, force: true });
  const { folder, password } = options;
  const repository = await initRepository({ storage: folder, password, kdf: { N: 1024, r: 8, p: 1 } });
  await new LargeRepository(repository, options).make();
  await repository.close();
}

class LargeRepository {
  readonly #repository: Repository;
  readonly #options: LargeOptions;
  /** Of all data blobs, 32 bytes each. */
  readonly #ids: Buffer;
  #listed: IndexPack[] = [];
  #listedBlobs = 0;
  #nextUsed = 0;
  #sealed: Uint8Array[] = [];
  #entries: IndexBlob[] = [];
  #packBytes = 0;

  constructor(repository: Repository, options: LargeOptions) {
    this.#repository = repository;
    this.#options = options;
    this.#ids = Buffer.allocUnsafe(options.blobCount * 32);
    for (let at = 0; at < this.#ids.length; at += 1 << 20)
      randomFillSync(this.#ids.subarray(at, at + (1 << 20)));
  }

  async make(): Promise<void> {
    const { blobCount, snapshotCount, nodeCount } = this.#options;
    for (let from = 0; from < blobCount; from += blobsPerPack) await this.#addDataPack(from);
    const nodesEach = Math.floor(nodeCount / snapshotCount);
    for (let snapshot = 0; snapshot < snapshotCount; snapshot++) await this.#addSnapshot(snapshot, nodesEach);
    await this.#saveTreePack();
    await this.#saveIndex();
  }

  async #addDataPack(from: number): Promise<void> {
    const count = Math.min(blobsPerPack, this.#options.blobCount - from);
    const blobs = Array.from({ length: count }, (_, i): IndexBlob => {
      const id = this.#dataId(from + i);
      const place = { offset: i * sealedBlobBytes, length: sealedBlobBytes };
      return { id, type: 'data', ...place, uncompressedLength: 3 * sealedBlobBytes };
    });
    const id = randomFillSync(Buffer.alloc(32)).toString('hex') as PackId;
    const path = join(this.#options.folder, nameOf('data', id));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    truncateSync(path, count * (sealedBlobBytes + packEntrySizeMax) + 32 + 4);
    await this.#list({ id, blobs });
  }

  #dataId(blob: number): BlobId {
    return this.#ids.toString('hex', blob * 32, blob * 32 + 32) as BlobId;
  }

  async #addSnapshot(snapshot: number, nodes: number): Promise<void> {
    const folders: string[] = [];
    for (let done = 0; done < nodes; done += nodesPerTree) {
      const count = Math.min(nodesPerTree, nodes - done);
      const files = Array.from({ length: count }, (_, i) => this.#fileNode(`${snapshot}-${done + i}.json`));
      const name = `folder-${String(folders.length).padStart(6, '0')}`;
      folders.push(node(name, 'dir', 2147484141, `"subtree":"${await this.#addTree(files)}"`));
    }
    const tree = await this.#addTree(folders);
    const time = `2026-01-01T00:00:00.${String(snapshot).padStart(9, '0')}Z`;
    const json = { time, tree, paths: ['/'], hostname: 'bench', username: 'bench', tags: null };
    await this.#repository.unpacked.save('snapshots', JSON.stringify(json));
  }

  #fileNode(name: string): string {
    const used = Math.floor((this.#options.blobCount / blobsPerPack) * usedShare) * blobsPerPack;
    const content = this.#dataId(this.#nextUsed++ % used);
    return node(name, 'file', 420, `"size":${3 * sealedBlobBytes},"content":["${content}"]`);
  }

  async #addTree(nodes: string[]): Promise<BlobId> {
    const plain = Buffer.from(`{"nodes":[${nodes.join(',')}]}\n`);
    const id = idOf<BlobId>(plain);
    const sealed = seal(this.#repository.key.key, compress(plain), systemRandom);
    const place = { offset: this.#packBytes, length: sealed.length, uncompressedLength: plain.length };
    this.#entries.push({ id, type: 'tree', ...place });
    this.#sealed.push(sealed);
    this.#packBytes += sealed.length;
    if (this.#packBytes >= treePackBytes) await this.#saveTreePack();
    return id;
  }

  async #saveTreePack(): Promise<void> {
    if (this.#entries.length === 0) return;
    const header = Buffer.alloc(this.#entries.length * packEntrySizeMax);
    const view = new DataView(header.buffer, header.byteOffset);
    let size = 0;
    for (const entry of this.#entries)
      size += writePackEntry(view, size, entry, Buffer.from(entry.id, 'hex'));
    const sealedHeader = seal(this.#repository.key.key, header.subarray(0, size), systemRandom);
    const trailer = Buffer.alloc(4);
    trailer.writeUInt32LE(sealedHeader.length);
    const pack = Buffer.concat([...this.#sealed, sealedHeader, trailer]);
    const id = hash('sha256', pack, 'hex') as PackId;
    await this.#repository.storage.write(nameOf('data', id), pack);
    const blobs = this.#entries;
    this.#entries = [];
    this.#sealed = [];
    this.#packBytes = 0;
    await this.#list({ id, blobs });
  }

  async #list(pack: IndexPack): Promise<void> {
    this.#listed.push(pack);
    this.#listedBlobs += pack.blobs.length;
    if (this.#listedBlobs >= blobsPerIndexFile) await this.#saveIndex();
  }

  async #saveIndex(): Promise<void> {
    if (this.#listed.length === 0) return;
    await this.#repository.unpacked.save('index', encodeIndex({ packs: this.#listed }));
    this.#listed = [];
    this.#listedBlobs = 0;
  }
}

/** A node as restic writes it. */
function node(name: string, type: 'file' | 'dir', mode: number, rest: string): string {
  const time = '2026-01-01T12:34:56.123456789Z';
  const times = `"mtime":"${time}","atime":"${time}","ctime":"${time}"`;
  const owner = '"uid":1000,"gid":1000,"user":"bench","group":"bench","inode":1234567,"device_id":2049';
  return `{"name":"${name}","type":"${type}","mode":${mode},${times},${owner},${rest}}`;
}
