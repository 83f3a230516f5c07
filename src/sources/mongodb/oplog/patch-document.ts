import { SourceError } from '../../errors.ts';
import { documentOf } from '../bson-build.ts';
import { type BsonElement, bsonTypes, elementsOf, findElement } from '../bson-bytes.ts';
import { documentIn, numberOf } from '../bson-values.ts';

/** A document after an update, byte for byte what the server would have. */
export interface Patched {
  document: Uint8Array;
  /** Paths that led nowhere: the document is of another time than the update. */
  misfits: number;
}

/**
 * Applies the `o` of an update entry: a whole document, or what changes by the grammar of `$v: 2` (update_oplog_entry,
 * document_diff) or of `$v: 1` (`$set`, `$unset`). Which it is tells `$v` alone: field names of data may begin with `$`.
 * @throws SourceError 'sources.oplog' for what is none of these
 */
export function patchDocument(document: Uint8Array, update: Uint8Array): Patched {
  const count = { misfits: 0 };
  const version = numberOf(findElement(update, '$v'));
  if (version === 1) return { document: applyModifiers(document, update, count), ...count };
  const diff = documentIn(update, 'diff');
  if (version !== 2 || !diff) throw unsupported(`an update of version ${version}`);
  const patched = patchFields(document, diff, count);
  return { document: patched, misfits: count.misfits };
}

/** Whether an update entry has the whole new document. @throws SourceError 'sources.oplog' */
export function isReplacement(update: Uint8Array): boolean {
  if (findElement(update, '$v')) return false;
  if (!findElement(update, '_id')) throw unsupported('an update without version and without _id');
  return true;
}

/** Whether all sections of a change are known here: later servers have others, such as patches inside binary values. */
export function isKnownUpdate(update: Uint8Array): boolean {
  const diff = documentIn(update, 'diff');
  return !diff || numberOf(findElement(update, '$v')) !== 2 || isKnownDiff(diff);
}

function isKnownDiff(diff: Uint8Array): boolean {
  const sections = [...elementsOf(diff)];
  const isOfArray = sections[0]?.name === 'a';
  return sections.every(({ name, type, value }) => {
    if (isOfArray ? /^(?:a|l|u\d+)$/.test(name) : /^[dui]$/.test(name)) return true;
    return name.startsWith('s') && type === bsonTypes.document && isKnownDiff(value);
  });
}

interface Count {
  misfits: number;
}

/** Sections: `d` remove, `u` set in place, `i` append, `s<field>` change inside. */
function patchFields(document: Uint8Array, diff: Uint8Array, count: Count): Buffer {
  const sections = new Map<string, Map<string, BsonElement>>();
  const inside = new Map<string, Uint8Array>();
  for (const { name, type, value } of elementsOf(diff)) {
    if (['d', 'u', 'i'].includes(name)) sections.set(name, fieldsOf(value));
    else if (name.startsWith('s') && type === bsonTypes.document) inside.set(name.slice(1), value);
    else throw unsupported(`the section ${JSON.stringify(name)} of a change`);
  }
  const none = new Map<string, BsonElement>();
  const [removed, set, added] = ['d', 'u', 'i'].map((name) => sections.get(name) ?? none);
  const fields: BsonElement[] = [];
  for (const field of elementsOf(document)) {
    const { name } = field;
    if (removed!.has(name) || added!.has(name)) continue;
    const change = inside.get(name);
    fields.push(set!.get(name) ?? (change ? patchField(field, change, count) : field));
    set!.delete(name);
    inside.delete(name);
  }
  count.misfits += inside.size;
  return documentOf([...fields, ...set!.values(), ...added!.values()]);
}

function patchField(field: BsonElement, diff: Uint8Array, count: Count): BsonElement {
  const isOfArray = elementsOf(diff).next().value?.name === 'a';
  if (isOfArray && field.type === bsonTypes.array)
    return { ...field, value: patchArray(field.value, diff, count) };
  if (!isOfArray && field.type === bsonTypes.document)
    return { ...field, value: patchFields(field.value, diff, count) };
  count.misfits++;
  return field;
}

/** Sections: `a`, then `l` new length, `u<index>` set, `s<index>` change inside. */
function patchArray(array: Uint8Array, diff: Uint8Array, count: Count): Buffer {
  let items = [...elementsOf(array)];
  for (const section of elementsOf(diff)) {
    const { name, value } = section;
    const index = Number(name.slice(1));
    if (name === 'a') continue;
    if (name === 'l') items = items.slice(0, numberOf(section) ?? items.length);
    else if (/^u\d+$/.test(name)) setItem(items, index, section);
    else if (/^s\d+$/.test(name)) {
      const item = items[index];
      if (item) items[index] = patchField(item, value, count);
      else count.misfits++;
    } else throw unsupported(`the section ${JSON.stringify(name)} of a change of an array`);
  }
  return arrayOf(items);
}

function applyModifiers(document: Uint8Array, update: Uint8Array, count: Count): Uint8Array {
  let patched = document;
  for (const { name, value } of elementsOf(update)) {
    if (name === '$v') continue;
    if (name !== '$set' && name !== '$unset') throw unsupported(`the modifier ${name}`);
    for (const field of elementsOf(value))
      patched = setPath(patched, field.name.split('.'), name === '$set' ? field : undefined, count);
  }
  return patched;
}

/** @param value undefined: the path is taken away */
function setPath(
  document: Uint8Array,
  [name, ...rest]: readonly string[],
  value: BsonElement | undefined,
  count: Count,
): Buffer {
  const fields = [...elementsOf(document)];
  const at = fields.findIndex((field) => field.name === name);
  if (rest.length === 0) {
    if (at < 0) return documentOf(value ? [...fields, { ...value, name: name! }] : fields);
    return documentOf(fields.toSpliced(at, 1, ...(value ? [{ ...value, name: name! }] : [])));
  }
  if (at >= 0) return documentOf(fields.with(at, setInside(fields[at]!, rest, value, count)));
  if (!value) return documentOf(fields);
  const made = setPath(documentOf([]), rest, value, count);
  return documentOf([...fields, { name: name!, type: bsonTypes.document, value: made }]);
}

function setInside(
  field: BsonElement,
  path: readonly string[],
  value: BsonElement | undefined,
  count: Count,
): BsonElement {
  if (field.type === bsonTypes.document) return { ...field, value: setPath(field.value, path, value, count) };
  const [name, ...rest] = path;
  if (field.type !== bsonTypes.array || !/^\d{1,9}$/.test(name!)) {
    count.misfits++;
    return field;
  }
  const items = [...elementsOf(field.value)];
  const index = Number(name);
  const item = items[index];
  if (rest.length > 0 && item) items[index] = setInside(item, rest, value, count);
  else if (rest.length > 0) count.misfits++;
  else if (value) setItem(items, index, value);
  else if (item) items[index] = nullItem;
  return { ...field, value: arrayOf(items) };
}

const nullItem: BsonElement = { name: '', type: bsonTypes.null, value: Buffer.alloc(0) };
/** A server pads with no more than this. */
const paddingMax = 1_500_000;

function setItem(items: BsonElement[], index: number, value: BsonElement): void {
  if (index > items.length + paddingMax) throw unsupported(`an array of ${index} items`);
  while (items.length < index) items.push(nullItem);
  items[index] = value;
}

function arrayOf(items: readonly BsonElement[]): Buffer {
  return documentOf(items.map((item, i) => ({ ...item, name: String(i) })));
}

function fieldsOf(document: Uint8Array): Map<string, BsonElement> {
  return new Map([...elementsOf(document)].map((element) => [element.name, element]));
}

function unsupported(what: string): SourceError {
  return new SourceError('sources.oplog', `cannot replay ${what}`, {
    hint: 'Restore to a time before it with --until, and report which server and version wrote it.',
  });
}
