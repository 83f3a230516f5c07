import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type Random, seededRandom } from '#base';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Sizes around every boundary of chunker and engine. */
const boundarySizes = [
  0,
  1,
  4095,
  4096,
  511 * KiB,
  512 * KiB - 1,
  512 * KiB,
  512 * KiB + 1,
  8 * MiB - 1,
  8 * MiB,
  8 * MiB + 1,
  16 * MiB - 1,
  16 * MiB,
  16 * MiB + 1,
];

/** Names as raw bytes: quotes, controls, what is not UTF-8, what is not printable, what looks like an option. */
const nastyNames: Buffer[] = [
  'plain',
  ' leading space',
  'trailing space ',
  'quote"double',
  "quote'single",
  'back\\slash',
  'new\nline',
  'tab\tbell\x07',
  '-rf',
  '*?[a]',
  '$HOME',
  '`id`',
  'ünïcödé',
  '日本語',
  'emoji-😀',
  'nbsp\u00a0name',
  'zero\u200bwidth',
  'rtl\u202ename',
  'del\x7f',
  '<html>&',
  'line\u2028separator',
  '%2e%2e',
  'a'.repeat(255),
  '..hidden',
  '...',
].map((name) => Buffer.from(name));
const notUtf8 = [
  Buffer.from([0x66, 0xff, 0xfe, 0x2d]),
  Buffer.from([0xc3, 0x28]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from([0xf5]),
];

const slash = Buffer.from('/');
const at = (folder: Buffer, name: Buffer | string): Buffer =>
  Buffer.concat([folder, slash, Buffer.from(name as string)]);

/** Makes a tree with everything that a file system of Linux can hold. Needs root. */
export function makeNastyTree(
  root: string,
  options: { seed?: number; depth?: number; sizes?: readonly number[] } = {},
): void {
  const random = seededRandom(options.seed ?? 1);
  const folder = Buffer.from(root);
  mkdirSync(folder, { recursive: true });
  makeNames(at(folder, 'names'), random);
  makeSizes(at(folder, 'sizes'), random, options.sizes ?? boundarySizes);
  makeKinds(at(folder, 'kinds'));
  makeHoles(at(folder, 'holes'));
  makeDepth(at(folder, 'deep'), options.depth ?? 200);
  mkdirSync(at(folder, 'empty'));
}

function makeNames(folder: Buffer, random: Random): void {
  mkdirSync(folder);
  for (const name of [...nastyNames, ...notUtf8])
    writeFileSync(at(folder, name), random.fill(new Uint8Array(10)));
  const below = at(folder, Buffer.from([0x64, 0xff]));
  mkdirSync(below);
  writeFileSync(at(below, 'inside'), 'inside');
}

function makeSizes(folder: Buffer, random: Random, sizes: readonly number[]): void {
  mkdirSync(folder);
  for (const size of sizes) {
    writeFileSync(at(folder, `random-${size}`), random.fill(new Uint8Array(size)));
    if (size <= MiB) writeFileSync(at(folder, `text-${size}`), Buffer.alloc(size, 'abc def '));
  }
}

function makeKinds(folder: Buffer): void {
  mkdirSync(folder);
  writeFileSync(at(folder, 'file'), 'content');
  linkSync(at(folder, 'file'), at(folder, 'hard link'));
  symlinkSync('file', at(folder, 'relative'));
  symlinkSync('/nowhere/at all', at(folder, 'dangling'));
  symlinkSync(Buffer.from([0x2e, 0x2f, 0xff]), at(folder, 'link to not utf8'));
  for (const [name, ...args] of [
    ['fifo', 'p'],
    ['character', 'c', '1', '3'],
    ['block', 'b', '7', '300'],
  ]) {
    execFileSync('mknod', [at(folder, name!).toString(), ...args]);
  }
  for (const mode of [0o000, 0o444, 0o777, 0o4755, 0o2755, 0o1777]) {
    const path = at(folder, `mode-${mode.toString(8)}`);
    writeFileSync(path, 'x');
    chownSync(path, 1234, 5678);
    chmodSync(path, mode);
  }
  const attributes = at(folder, 'attributes').toString();
  writeFileSync(attributes, 'x');
  execFileSync('setfattr', ['-n', 'user.note', '-v', '0x00ff10', attributes]);
  execFileSync('setfacl', ['-m', 'u:1234:rw', attributes]);
  execFileSync('setfacl', ['-d', '-m', 'u:1234:rwx', folder.toString()]);
  const old = at(folder, 'old');
  writeFileSync(old, 'x');
  utimesSync(old, 1.5, 1.123456);
}

function makeHoles(folder: Buffer): void {
  mkdirSync(folder);
  for (const [name, places] of [
    ['all', []],
    ['middle', [0, 20 * MiB]],
    ['ends', [10 * MiB]],
  ] as const) {
    const fd = openSync(at(folder, name), 'w');
    ftruncateSync(fd, 21 * MiB);
    for (const place of places) writeSync(fd, 'data', place);
    closeSync(fd);
  }
}

function makeDepth(folder: Buffer, depth: number): void {
  let path = folder;
  mkdirSync(path);
  for (let i = 0; i < depth; i++) {
    path = at(path, 'd');
    mkdirSync(path);
  }
  writeFileSync(at(path, 'bottom'), 'bottom');
}
