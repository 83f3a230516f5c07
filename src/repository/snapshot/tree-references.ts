import { type BlobId, parseId } from '../format/ids.ts';
import { isRecord, malformed, parseJson, recordOf } from '../format/json.ts';

/** What a tree needs: blobs of its files, trees of its folders. */
export interface TreeReferences {
  content: BlobId[];
  subtrees: BlobId[];
}

/**
 * Reads only the references of a tree blob. Those of nodes of any type count, also of a type that we do not know:
 * a prune must not take for unused what another program uses.
 * @throws RepositoryError 'repository.damaged'
 */
export function treeReferences(json: Uint8Array): TreeReferences {
  const { nodes } = recordOf(parseJson(json, 'a tree'), 'a tree');
  if (!Array.isArray(nodes)) throw malformed('a tree', 'it has no list of nodes');
  const references: TreeReferences = { content: [], subtrees: [] };
  for (const node of nodes) {
    if (!isRecord(node)) throw malformed('a tree', 'a node is no object');
    if (node.content != null) addContent(node.content, references.content);
    if (node.subtree != null) references.subtrees.push(parseId(node.subtree, 'the subtree of a folder'));
  }
  return references;
}

function addContent(content: unknown, ids: BlobId[]): void {
  if (!Array.isArray(content)) throw malformed('a tree', 'the content of a node is no list');
  for (const id of content) ids.push(parseId(id, 'the content of a file'));
}
