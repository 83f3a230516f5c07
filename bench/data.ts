import {
  closeSync,
  cpSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Random, seededRandom } from '#base';

const MiB = 1024 * 1024;

export type DataName = 'json' | 'random' | 'small';

/** What is measured: documents that compress well, bytes that do not, and very many tiny files. */
export interface DataSets {
  /** @returns the folder that holds the set, made once */
  folderOf(name: DataName): string;
  /** The same with one part in a hundred changed. */
  changedFolderOf(name: DataName): string;
}

/** @param sizeBytes of the two large files; the number of small files follows from it (50,000 for 1 GiB) */
export function dataSets(place: string, sizeBytes: number): DataSets {
  const smallCount = Math.round((50_000 * sizeBytes) / (1024 * MiB));
  const makers: Record<DataName, (folder: string) => void> = {
    json: (folder) => makeFile(join(folder, 'documents.json'), sizeBytes, documents(seededRandom(1))),
    random: (folder) => makeFile(join(folder, 'random.bin'), sizeBytes, noise(seededRandom(2))),
    small: (folder) => makeSmallFiles(folder, smallCount),
  };
  const folderOf = (name: DataName): string =>
    madeOnce(join(place, `${name}-${sizeBytes}`), (draft) => makers[name](draft));
  return {
    folderOf,
    changedFolderOf: (name) =>
      madeOnce(join(place, `${name}-${sizeBytes}-changed`), (draft) => {
        cpSync(folderOf(name), draft, { recursive: true, preserveTimestamps: true });
        change(draft, seededRandom(3));
      }),
  };
}

/** The folder, there whole or not at all. */
function madeOnce(folder: string, make: (draft: string) => void): string {
  if (existsSync(folder)) return folder;
  const draft = `${folder}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  make(draft);
  renameSync(draft, folder);
  return folder;
}

function makeFile(path: string, sizeBytes: number, piece: () => Uint8Array): void {
  const fd = openSync(path, 'w');
  for (let left = sizeBytes; left > 0; ) {
    const bytes = piece().subarray(0, left);
    writeSync(fd, bytes);
    left -= bytes.length;
  }
  closeSync(fd);
}

/** Documents as a shop has them: names repeat, ids and amounts do not. They compress to about a third. */
function documents(random: Random): () => Uint8Array {
  const words = 'alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike'.split(' ');
  const word = (): string => words[random.below(words.length)]!;
  const id = new Uint8Array(12);
  let number = 0;
  return () => {
    let text = '';
    for (let i = 0; i < 2000; i++) {
      const document = {
        _id: Buffer.from(random.fill(id)).toString('hex'),
        number: number++,
        customer: { name: `${word()} ${word()}`, mail: `${word()}.${random.below(1e6)}@example.org` },
        items: Array.from({ length: 1 + random.below(4) }, () => ({
          sku: `${word()}-${random.below(1e5)}`,
          count: 1 + random.below(9),
          price: random.below(1e6) / 100,
        })),
        note: Array.from({ length: random.below(12) }, word).join(' '),
      };
      text += `${JSON.stringify(document)}\n`;
    }
    return Buffer.from(text);
  };
}

function noise(random: Random): () => Uint8Array {
  const words = new Uint32Array(MiB / 4);
  return () => {
    for (let i = 0; i < words.length; i++) words[i] = random.below(2 ** 32);
    return new Uint8Array(words.buffer);
  };
}

function makeSmallFiles(folder: string, count: number): void {
  const text = documents(seededRandom(4));
  let bytes = text();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const sub = join(folder, String(i % 200).padStart(3, '0'));
    if (i < 200) mkdirSync(sub);
    const size = 3072 + ((i * 7919) % 2048);
    if (at + size > bytes.length) {
      bytes = text();
      at = 0;
    }
    writeFileSync(join(sub, `${i}.json`), bytes.subarray(at, at + size));
    at += size;
  }
}

/** Overwrites places of 64 KiB that make 1 % of a large file, or one small file in a hundred. */
function change(folder: string, random: Random): void {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  if (files.length > 1) {
    for (const [i, file] of files.sort().entries())
      if (i % 100 === 0) writeFileSync(file, random.fill(new Uint8Array(4096)));
    return;
  }
  const piece = new Uint8Array(64 * 1024);
  const strideBytes = 100 * piece.length;
  const fd = openSync(files[0]!, 'r+');
  for (let at = 0; at + piece.length <= fstatSync(fd).size; at += strideBytes)
    writeSync(fd, random.fill(piece), 0, piece.length, at);
  closeSync(fd);
}
