import { isUtf8 } from 'node:buffer';
import { RepositoryError } from '../errors.ts';
import { bufferOf, goName, goQuoted, goString, goStringOfBytes } from '../format/go-json.ts';
import { formatGoTime } from '../format/go-time.ts';
import { toGoMode } from './file-mode.ts';
import { compareNames, type TreeNode } from './tree.ts';

/** So many nodes become one piece of text, far below the longest string that V8 knows. */
const nodesPerPiece = 4096;

/**
 * The bytes of a tree blob, equal to restic's for equal nodes (times in UTC): the id of the blob, and so
 * deduplication with restic, depends on every byte. Nodes may come in any order; a name may come once.
 * @throws RepositoryError 'repository.internal' for nodes that no tree may hold
 */
export function encodeTree(nodes: readonly TreeNode[]): Uint8Array {
  const sorted = isAscending(nodes) ? nodes : ascending(nodes);
  const pieces: Uint8Array[] = [];
  let text = '{"nodes":[';
  for (let from = 0; from < sorted.length; from += nodesPerPiece) {
    const piece = sorted.slice(from, from + nodesPerPiece).map(encodeNode);
    pieces.push(Buffer.from((from === 0 ? text : ',') + piece.join(',')));
    text = '';
  }
  pieces.push(Buffer.from(`${text}]}\n`));
  return Buffer.concat(pieces);
}

function isAscending(nodes: readonly TreeNode[]): boolean {
  for (let i = 1; i < nodes.length; i++) if (compareNames(nodes[i - 1]!, nodes[i]!) >= 0) return false;
  return true;
}

function ascending(nodes: readonly TreeNode[]): TreeNode[] {
  const sorted = nodes.toSorted(compareNames);
  const twice = sorted.findIndex((node, i) => i > 0 && compareNames(sorted[i - 1]!, node) === 0);
  if (twice >= 0) throw refused(sorted[twice]!, 'came twice in one folder');
  return sorted;
}

/** The JSON object of one node: fields in restic's order, absent when they say nothing. */
function encodeNode(node: TreeNode): string {
  assertSound(node);
  const mode = toGoMode(node.type, node.mode);
  const mtime = formatGoTime(node.mtimeNs);
  const atime = node.atimeNs === node.mtimeNs ? mtime : formatGoTime(node.atimeNs);
  const ctime = node.ctimeNs === node.mtimeNs ? mtime : formatGoTime(node.ctimeNs);
  let json = `{"name":${goName(node.name)},"type":"${node.type}"`;
  if (mode !== 0) json += `,"mode":${mode}`;
  json += `,"mtime":"${mtime}","atime":"${atime}","ctime":"${ctime}","uid":${node.uid},"gid":${node.gid}`;
  if (node.user !== '') json += `,"user":${goString(node.user)}`;
  if (node.group !== '') json += `,"group":${goString(node.group)}`;
  if (node.inode !== 0n) json += `,"inode":${unsigned(node.inode)}`;
  if (node.deviceId !== 0n) json += `,"device_id":${unsigned(node.deviceId)}`;
  if (node.sizeBytes !== 0 && node.type === 'file') json += `,"size":${node.sizeBytes}`;
  if (node.links !== 0 && hasLinks(node)) json += `,"links":${node.links}`;
  json += encodeRareFields(node);
  json += encodeContent(node.content);
  if (node.subtree !== undefined) json += `,"subtree":"${node.subtree}"`;
  return node.error ? `${json},"error":${goString(node.error)}}` : `${json}}`;
}

function hasLinks(node: TreeNode): boolean {
  return node.type !== 'dir' && node.type !== 'fifo' && node.type !== 'socket';
}

/** Node's bigint stat gives 64-bit numbers a sign. */
function unsigned(value: bigint): bigint {
  return value < 0n ? BigInt.asUintN(64, value) : value;
}

/** What stands between `links` and `content`. */
function encodeRareFields(node: TreeNode): string {
  let json = '';
  if (node.linkTarget !== undefined && node.linkTarget.length > 0) {
    json += `,"linktarget":${goStringOfBytes(node.linkTarget)}`;
    if (!isUtf8(node.linkTarget))
      json += `,"linktarget_raw":"${bufferOf(node.linkTarget).toString('base64')}"`;
  }
  if (node.extendedAttributes !== undefined && node.extendedAttributes.length > 0) {
    const list = node.extendedAttributes.map(
      ({ name, value }) => `{"name":${goString(name)},"value":"${bufferOf(value).toString('base64')}"}`,
    );
    json += `,"extended_attributes":[${list.join(',')}]`;
  }
  if (node.genericAttributes !== undefined) json += `,"generic_attributes":${node.genericAttributes}`;
  if (node.device !== undefined && node.device !== 0n) json += `,"device":${unsigned(node.device)}`;
  return json;
}

function encodeContent(content: TreeNode['content']): string {
  if (content === null) return ',"content":null';
  return content.length === 0 ? ',"content":[]' : `,"content":["${content.join('","')}"]`;
}

/** Checked right before writing: readers report a tree that breaks these rules as damaged. */
function assertSound(node: TreeNode): void {
  if (node.name.length === 0) throw refused(node, 'has no name');
  if ((node.content !== null) !== (node.type === 'file')) throw refused(node, 'has content only as a file');
  if ((node.subtree !== undefined) !== (node.type === 'dir'))
    throw refused(node, 'has a subtree only as a folder');
  if (!Number.isSafeInteger(node.sizeBytes) || node.sizeBytes < 0)
    throw refused(node, 'has an impossible size');
}

function refused(node: TreeNode, why: string): RepositoryError {
  return new RepositoryError('repository.internal', `refused to store ${goQuoted(node.name)}: it ${why}`, {
    hint: 'This is a bug in Holdfast or in a source. Please report it with this message.',
  });
}
