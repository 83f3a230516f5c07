import { isUtf8 } from 'node:buffer';
import type { TreeNode } from '../snapshot/tree.ts';

/**
 * Headers of a tar archive in POSIX's pax format (IEEE 1003.1-2017, "pax Interchange Format"), names as raw bytes:
 * what fits goes into the ustar header, the rest into extended records before it.
 */
export const tarBlockBytes = 512;

const typeFlags = { file: '0', symlink: '2', chardev: '3', dev: '4', dir: '5', fifo: '6' } as const;
const linkFlag = '1';
const extendedFlag = 'x';
const nameBytesMax = 100;
const accountBytesMax = 31;
const secondNs = 1_000_000_000n;

/** @param path raw bytes of the path, without leading or trailing slash @param linkTo path of the first name of a hard link */
export function tarHeader(node: TreeNode, path: Uint8Array, linkTo?: Uint8Array): Buffer {
  const name = node.type === 'dir' ? Buffer.concat([path, Buffer.from('/')]) : path;
  const target = linkTo ?? node.linkTarget ?? new Uint8Array();
  const typeFlag = linkTo ? linkFlag : typeFlags[node.type as keyof typeof typeFlags];
  const header = ustarHeader({
    name,
    typeFlag,
    target,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    user: Buffer.from(node.user),
    group: Buffer.from(node.group),
    sizeBytes: typeFlag === typeFlags.file ? node.sizeBytes : 0,
    mtimeSeconds: floorSeconds(node.mtimeNs),
    device: node.device ?? 0n,
  });
  const records = extendedRecords(node, name, target);
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const extended = ustarHeader({ ...plainFile, name: Buffer.from('PaxHeaders/x'), sizeBytes: body.length });
  return Buffer.concat([extended, body, tarPadding(body.length), header]);
}

/** Zeros from the end of a content of this size to the next block. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes);
}

function extendedRecords(node: TreeNode, name: Uint8Array, target: Uint8Array): Buffer[] {
  const records: Buffer[] = [];
  const add = (key: string, value: Uint8Array): unknown => records.push(record(key, value));
  // Records are UTF-8 by the standard. A name that is not, and too long for the header, stands there raw, as GNU
  // tar writes it: the standard's word for that (hdrcharset=BINARY) is a warning in GNU tar for each file.
  const addText = (key: string, value: Uint8Array, bytesMax: number): void => {
    const isForeign = value.some((byte) => byte > 0x7f) && isUtf8(value);
    if (value.length > bytesMax || isForeign) add(key, value);
  };
  addText('path', name, nameBytesMax);
  addText('linkpath', target, nameBytesMax);
  addText('uname', Buffer.from(node.user), accountBytesMax);
  addText('gname', Buffer.from(node.group), accountBytesMax);
  if (node.mtimeNs < 0n || node.mtimeNs % secondNs !== 0n) add('mtime', Buffer.from(paxTime(node.mtimeNs)));
  for (const { name: key, value } of node.extendedAttributes ?? []) {
    // As star and GNU tar escape what would end the key.
    add(`SCHILY.xattr.${key.replaceAll('%', '%25').replaceAll('=', '%3D')}`, value);
  }
  return records;
}

/** `length key=value\n`, the length being that of the whole record with its own digits. */
function record(key: string, value: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = body.length;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

/** Seconds with a fraction of nine digits: `-0.5` is half a second before 1970. */
function paxTime(timeNs: bigint): string {
  const sizeNs = timeNs < 0n ? -timeNs : timeNs;
  const fraction = String(sizeNs % secondNs).padStart(9, '0');
  return `${timeNs < 0n ? '-' : ''}${sizeNs / secondNs}.${fraction}`;
}

/** What the header without a fraction says; a time before 1970 stands in the extended records only. */
function floorSeconds(timeNs: bigint): number {
  return timeNs < 0n ? 0 : Number(timeNs / secondNs);
}

interface UstarFields {
  name: Uint8Array;
  typeFlag: string;
  target: Uint8Array;
  mode: number;
  uid: number;
  gid: number;
  user: Uint8Array;
  group: Uint8Array;
  sizeBytes: number;
  mtimeSeconds: number;
  device: bigint;
}

const none = new Uint8Array();
const plainFile: Omit<UstarFields, 'name' | 'sizeBytes'> = {
  typeFlag: extendedFlag,
  target: none,
  mode: 0o644,
  uid: 0,
  gid: 0,
  user: none,
  group: none,
  mtimeSeconds: 0,
  device: 0n,
};

function ustarHeader(fields: UstarFields): Buffer {
  const header = Buffer.alloc(tarBlockBytes);
  const put = (at: number, bytes: Uint8Array, bytesMax: number): unknown =>
    header.set(bytes.subarray(0, bytesMax), at);
  put(0, fields.name, nameBytesMax);
  putNumber(header, 100, 8, fields.mode);
  putNumber(header, 108, 8, fields.uid);
  putNumber(header, 116, 8, fields.gid);
  putNumber(header, 124, 12, fields.sizeBytes);
  putNumber(header, 136, 12, fields.mtimeSeconds);
  header.write(fields.typeFlag, 156, 'latin1');
  put(157, fields.target, nameBytesMax);
  header.write('ustar\x0000', 257, 'latin1');
  put(265, fields.user, accountBytesMax);
  put(297, fields.group, accountBytesMax);
  putNumber(header, 329, 8, deviceMajor(fields.device));
  putNumber(header, 337, 8, deviceMinor(fields.device));
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** Octal digits where they suffice, else base 256 with the top bit set, which GNU tar, bsdtar and Python read. */
function putNumber(header: Buffer, at: number, width: number, value: number): void {
  const octal = value.toString(8).padStart(width - 1, '0');
  if (octal.length < width) {
    header.write(octal, at, 'latin1');
    return;
  }
  header[at] = 0x80;
  header.writeBigUInt64BE(BigInt(value), at + width - 8);
  header[at]! |= 0x80;
}

/** Linux' dev_t: 12 bits of major and 20 of minor, the upper halves apart. */
function deviceMajor(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function deviceMinor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}
