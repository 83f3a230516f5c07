import {
  Document,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { isSame } from './changes.ts';
import { type Configuration, configurationOf, isExtension, parseFile } from './configuration.ts';
import { ConfigError } from './errors.ts';
import { YamlText } from './yaml-text.ts';

type Json = Record<string, unknown>;

/**
 * Writes a configuration as holdfast.yaml. Secrets are the references that they are.
 * @param previous a text whose order, comments, anchors and spelling stay, wherever what it says is still true
 * @throws ConfigError 'config.invalid' when the previous text is no YAML
 */
export function exportConfig(configuration: Configuration, previous = ''): string {
  const text = new YamlText(previous);
  if (text.faults.length > 0)
    throw new ConfigError('config.invalid', `cannot keep the comments: ${text.faults[0]!.message}`, {
      hint: 'Mend the file, or export without it.',
      context: { faults: text.faults },
    });
  const wanted = fileOf(configuration);
  if (!isMap(text.document.contents)) {
    const document = new Document(wanted, { compat: 'yaml-1.1' });
    spaceSections(document.contents as YAMLMap);
    return document.toString(layout);
  }
  const said = parseFile(text.value);
  if (said.success && isSame(configurationOf(said.data), configuration)) return previous;
  mergeMap(text.document, text.document.contents, withExtensions(wanted, text.value as Json));
  padMapsOnly(text.document);
  return text.document.toString(layout);
}

const layout = { lineWidth: 110, flowCollectionPadding: true };

function fileOf({ settings, repositories, sources, channels, plans }: Configuration): Json {
  const all: Json = { settings, channels, repositories, sources, plans: mapValues(plans, withoutDefaults) };
  const used = Object.entries(all).filter(([, value]) => Object.keys(value as Json).length > 0);
  return { version: 1, ...Object.fromEntries(used) };
}

/** A backup is what a plan is when it does not say so. */
function withoutDefaults({ kind, ...members }: Json & { kind?: unknown }): Json {
  return kind === 'backup' ? members : { kind, ...members };
}

/** Extensions of the previous text stay: they are the file's own. */
function withExtensions(wanted: Json, previous: Json): Json {
  const extensions = Object.entries(previous).filter(([key]) => isExtension(key));
  return { ...wanted, ...Object.fromEntries(extensions) };
}

/** Changes a node in place only where it says something else. @returns what stands there now */
function merge(document: Document, node: Node | null | undefined, value: unknown): Node {
  if (node && isSame(node.toJS(document), value)) return node;
  if (isMap(node) && isJsonMap(value)) {
    mergeMap(document, node, value);
    return node;
  }
  if (isSeq(node) && Array.isArray(value)) {
    mergeSeq(document, node, value);
    return node;
  }
  if (isScalar(node) && !isJsonMap(value) && !Array.isArray(value)) {
    node.value = value;
    // Otherwise it is written as the old value was.
    delete (node as Scalar).source;
    return node;
  }
  const fresh = document.createNode(value) as Node;
  if (node?.comment && !fresh.comment) fresh.comment = node.comment;
  if (node?.commentBefore) fresh.commentBefore = node.commentBefore;
  return fresh;
}

function mergeMap(document: Document, map: YAMLMap, value: Json): void {
  const own = map.toJS(document) as Json;
  const isBackup = own.kind === 'backup' && value.kind === undefined;
  // Without a prototype: a plan may be called `constructor`.
  const members: Json = Object.assign(
    Object.create(null),
    value,
    isBackup && 'sources' in value && { kind: 'backup' },
  );
  for (const key of Object.keys(own))
    if (members[key] === undefined && !map.delete(key)) untangle(document, map, own);
  for (const key of Object.keys(own)) if (members[key] === undefined) map.delete(key);
  for (const [key, member] of Object.entries(members)) {
    if (member === undefined || (!map.has(key) && isSame(own[key], member) && key in own)) continue;
    const node = map.get(key, true) as Node | undefined;
    map.set(key, merge(document, node, member));
  }
}

/** Writes out what came by merge keys, so that single members can go. */
function untangle(document: Document, map: YAMLMap, own: Json): void {
  map.items = map.items.filter(({ key }) => !(isScalar(key) && isMergeKey(key)));
  for (const [key, member] of Object.entries(own))
    if (!map.has(key)) map.set(document.createNode(key), document.createNode(member));
}

function isMergeKey(key: Scalar): boolean {
  return key.value === '<<' || (typeof key.value === 'symbol' && key.value.description === '<<');
}

function mergeSeq(document: Document, seq: YAMLSeq, value: readonly unknown[]): void {
  const left = seq.items as (Node | null)[];
  const taken = new Set<number>();
  const equal = value.map((item) => {
    const i = left.findIndex(
      (node, j) => !taken.has(j) && node !== null && isSame(node.toJS(document), item),
    );
    if (i >= 0) taken.add(i);
    return i;
  });
  seq.items = value.map((item, i) => {
    if (equal[i]! >= 0) return left[equal[i]!];
    const isFree = i < left.length && !taken.has(i);
    if (isFree) taken.add(i);
    return merge(document, isFree ? left[i] : undefined, item);
  });
}

/** Writes `{ daily: 7 }`, but `[nas]`: the library has one option for both. */
function padMapsOnly(document: Document): void {
  const padded = (padding: string) => (_: unknown, node: YAMLMap | YAMLSeq) => {
    const write = node.toString.bind(node);
    node.toString = (context, ...more) =>
      write(context && { ...context, flowCollectionPadding: padding }, ...more);
  };
  visit(document, { Map: padded(' '), Seq: padded('') });
}

/** An empty line before each section, and before each thing in it that has a name. */
function spaceSections(file: YAMLMap): void {
  for (const { key, value } of file.items.slice(1)) {
    (key as Scalar).spaceBefore = true;
    if (isMap(value) && (key as Scalar).value !== 'settings')
      for (const { key: name } of value.items.slice(1)) (name as Scalar).spaceBefore = true;
  }
}

function isJsonMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapValues(record: Readonly<Record<string, object>>, change: (value: Json) => Json): Json {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value as Json)]));
}
