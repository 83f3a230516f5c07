import { parseId } from '../format/ids.ts';
import { isRecord, malformed, parseJson, recordOf } from '../format/json.ts';
import type { BlobType } from '../index/blob-table.ts';
import { scanTreeReferences } from './tree-reference-scan.ts';

/**
 * Reads only what a tree needs: blobs of its files, trees of its folders. Those of nodes of any type count, also of a
 * type that we do not know: a prune must not take for unused what another program uses.
 * @param visit may be called twice for one reference. The id's words are valid during the call only
 * @throws RepositoryError 'repository.damaged'
 */
export function visitTreeReferences(json: Uint8Array, visit: (type: BlobType, id: Int32Array) => void): void {
  const words = new Int32Array(8);
  const id = new Uint8Array(words.buffer);
  const visitor = { id, content: () => visit('data', words), subtree: () => visit('tree', words) };
  if (scanTreeReferences(json, visitor)) return;
  const { nodes } = recordOf(parseJson(json, 'a tree'), 'a tree');
  if (!Array.isArray(nodes)) throw malformed('a tree', 'it has no list of nodes');
  const read = (value: unknown, where: string): void =>
    void id.set(Buffer.from(parseId(value, where), 'hex'));
  for (const node of nodes) {
    if (!isRecord(node)) throw malformed('a tree', 'a node is no object');
    for (const blob of contentOf(node)) {
      read(blob, 'the content of a file');
      visitor.content();
    }
    if (node.subtree == null) continue;
    read(node.subtree, 'the subtree of a folder');
    visitor.subtree();
  }
}

function contentOf({ content }: Record<string, unknown>): unknown[] {
  if (content == null) return [];
  if (!Array.isArray(content)) throw malformed('a tree', 'the content of a node is no list');
  return content;
}
