import { type ExtendedAttribute, type FileType, messageOf } from '#base';
import { goUnquoted } from '../format/go-json.ts';
import { parseGoTime } from '../format/go-time.ts';
import { type BlobId, parseId } from '../format/ids.ts';
import { countOf, isRecord, malformed, parseJson, recordOf, textOf, utf8 } from '../format/json.ts';
import { fromGoMode } from './file-mode.ts';
import { compareNames, type Tree, type TreeNode, type UnknownNode } from './tree.ts';

const knownTypes: ReadonlySet<unknown> = new Set<FileType>([
  'file',
  'dir',
  'symlink',
  'dev',
  'chardev',
  'fifo',
  'socket',
]);

/**
 * Reads a tree blob of any writer and zone. Unknown fields are passed over; nodes out of order are put in order.
 * @throws RepositoryError 'repository.damaged'
 */
export function decodeTree(json: Uint8Array): Tree {
  const text = quoteGenericAttributes(quoteLongNumbers(utf8(json)));
  const list = recordOf(parseJson(text, 'a tree'), 'a tree').nodes;
  if (!Array.isArray(list)) throw malformed('a tree', 'it has no list of nodes');
  const nodes: TreeNode[] = [];
  const unknown: UnknownNode[] = [];
  for (const node of list) {
    if (!isRecord(node)) throw malformed('a tree', 'a node is no object');
    if (knownTypes.has(node.type)) nodes.push(decodeNode(node));
    else unknown.push({ name: decodeName(node), type: String(node.type ?? '') });
  }
  return { nodes: inOrder(nodes), unknown };
}

function inOrder(nodes: TreeNode[]): TreeNode[] {
  for (let i = 1; i < nodes.length; i++)
    if (compareNames(nodes[i - 1]!, nodes[i]!) > 0) return nodes.toSorted(compareNames);
  return nodes;
}

/**
 * Puts quotes around numbers that JSON.parse would round. In valid JSON the pattern is a member's name and never
 * a part of a text, because a quote inside a text has a backslash before it.
 */
function quoteLongNumbers(json: string): string {
  return json.replace(/([{,]\s*"(?:inode|device_id|device|size|links)"\s*:\s*)(\d{16,})/g, '$1"$2"');
}

/** Makes the value of each `generic_attributes` a text, so that it survives the parsing verbatim. */
function quoteGenericAttributes(json: string): string {
  const pattern = /[{,]\s*"generic_attributes"\s*:\s*(?=\{)/g;
  let result = '';
  let end = 0;
  for (let match = pattern.exec(json); match; match = pattern.exec(json)) {
    const from = pattern.lastIndex;
    pattern.lastIndex = endOfObject(json, from);
    result += json.slice(end, from) + JSON.stringify(json.slice(from, pattern.lastIndex));
    end = pattern.lastIndex;
  }
  return end === 0 ? json : result + json.slice(end);
}

/** Index behind the brace that closes the object which opens at `from`. */
function endOfObject(json: string, from: number): number {
  const token = /"(?:[^"\\]|\\.)*"|[{}]/g;
  token.lastIndex = from;
  let depth = 0;
  for (let match = token.exec(json); match; match = token.exec(json)) {
    if (match[0] === '{') depth++;
    else if (match[0] === '}' && --depth === 0) return token.lastIndex;
  }
  return json.length;
}

function decodeNode(node: Record<string, unknown>): TreeNode {
  const mtimeNs = parseGoTime(node.mtime).timeNs;
  const timeNs = (time: unknown) => (time === node.mtime ? mtimeNs : parseGoTime(time).timeNs);
  const decoded: TreeNode = {
    name: decodeName(node),
    type: node.type as FileType,
    mode: fromGoMode(countOf(node.mode, 'a mode in a tree')),
    mtimeNs,
    atimeNs: timeNs(node.atime),
    ctimeNs: timeNs(node.ctime),
    uid: countOf(node.uid, 'a user id in a tree'),
    gid: countOf(node.gid, 'a group id in a tree'),
    user: textOf(node.user, 'a user name in a tree'),
    group: textOf(node.group, 'a group name in a tree'),
    inode: bigintOf(node.inode),
    deviceId: bigintOf(node.device_id),
    links: Number(bigintOf(node.links)),
    sizeBytes: Number(bigintOf(node.size)),
    content: decodeContent(node.content),
  };
  addRareFields(node, decoded);
  return decoded;
}

function decodeName(node: Record<string, unknown>): Uint8Array {
  try {
    return goUnquoted(textOf(node.name, 'a name in a tree'));
  } catch (cause) {
    throw malformed('a name in a tree', messageOf(cause), cause);
  }
}

function decodeContent(content: unknown): BlobId[] | null {
  if (content === undefined || content === null) return null;
  if (!Array.isArray(content)) throw malformed('a tree', 'the content of a node is no list');
  return content.map((id) => parseId<BlobId>(id, 'the content of a file'));
}

function addRareFields(node: Record<string, unknown>, decoded: TreeNode): void {
  if (node.subtree != null) decoded.subtree = parseId(node.subtree, 'the subtree of a folder');
  if (node.linktarget_raw != null) decoded.linkTarget = base64Of(node.linktarget_raw);
  else if (node.linktarget != null)
    decoded.linkTarget = Buffer.from(textOf(node.linktarget, 'a link in a tree'));
  if (node.device != null) decoded.device = bigintOf(node.device);
  if (node.extended_attributes != null)
    decoded.extendedAttributes = decodeExtendedAttributes(node.extended_attributes);
  if (node.generic_attributes != null)
    decoded.genericAttributes = textOf(node.generic_attributes, 'generic attributes in a tree');
  if (node.error != null) decoded.error = textOf(node.error, 'an error in a tree');
}

function decodeExtendedAttributes(list: unknown): ExtendedAttribute[] {
  if (!Array.isArray(list)) throw malformed('a tree', 'extended attributes are no list');
  return list.map((attribute) => {
    const { name, value } = recordOf(attribute, 'an extended attribute');
    return { name: textOf(name, 'an extended attribute'), value: base64Of(value) };
  });
}

function base64Of(value: unknown): Uint8Array {
  return Buffer.from(textOf(value, 'base64 in a tree'), 'base64');
}

/** A number, or the digits of one that is too long for a number. */
function bigintOf(value: unknown): bigint {
  if (value === undefined || value === null) return 0n;
  if (typeof value === 'string' && /^\d+$/.test(value)) return BigInt(value);
  return BigInt(countOf(value, 'a number in a tree'));
}
