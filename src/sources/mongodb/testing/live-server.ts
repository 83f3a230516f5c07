import { BSON, type Document } from 'mongodb';
import { type Random, seededRandom } from '#base';
import { OplogWriter } from './oplog-entries.ts';
import { bson, type Databases, documentsOf, uuid } from './replay-fixture.ts';

/** A server that is written to: its documents, and what its oplog says of each change. */
export class LiveServer {
  readonly databases: Databases = new Map([['live', new Map()]]);
  readonly oplog = new OplogWriter();
  /** What it had after each entry, by the entry's number. */
  readonly states = new Map<number, string>();
  readonly #documents = new Map<string, Map<number, Document>>();
  readonly #random: Random;
  #made = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    for (const name of ['a', 'b', 'c']) this.#make(name);
    for (let i = 0; i < 30; i++) this.step();
  }

  step(): void {
    const name = ['a', 'b', 'c'][this.#random.below(3)]!;
    const documents = this.#documents.get(name)!;
    const ids = [...documents.keys()];
    const id = ids[this.#random.below(ids.length || 1)];
    const choice = this.#random.below(20);
    if (choice === 0) this.#makeAnew(name);
    else if (id === undefined || choice < 6) this.#insert(name);
    else if (choice < 8) this.#delete(name, id);
    else if (choice < 9) this.#replace(name, id);
    else if (choice < 10) this.#transact(name, id);
    else this.#change(name, id);
    this.#publish();
  }

  #make(name: string): void {
    const digits = String(++this.#made).padStart(12, '0');
    const made = `00000000-0000-4000-8000-${digits}`;
    this.#documents.set(name, new Map());
    this.databases.get('live')!.set(name, { documents: [], uuid: made });
    this.oplog.command('live', { create: name }, { ui: new BSON.UUID(made) });
    this.#publish();
  }

  #makeAnew(name: string): void {
    this.oplog.command('live', { drop: name });
    this.#documents.delete(name);
    this.#publish();
    this.#make(name);
  }

  #insert(name: string): void {
    const document = { _id: ++this.#made, n: { x: this.#number() }, list: [1, 2] };
    this.#documents.get(name)!.set(document._id, document);
    this.oplog.insert(`live.${name}`, document);
  }

  #delete(name: string, id: number): void {
    this.#documents.get(name)!.delete(id);
    this.oplog.delete(`live.${name}`, id);
  }

  #replace(name: string, id: number): void {
    const document = { _id: id, whole: this.#number() };
    this.#documents.get(name)!.set(id, document);
    this.oplog.update(`live.${name}`, id, document);
  }

  #transact(name: string, id: number): void {
    const document = { _id: ++this.#made, of: 'transaction' };
    this.#documents.get(name)!.set(document._id, document);
    this.#documents.get(name)!.delete(id);
    const ns = `live.${name}`;
    const applyOps = [
      { op: 'i', ns, o: document },
      { op: 'd', ns, o: { _id: id } },
    ];
    const lsid = { id: new BSON.UUID(uuid(7)) };
    this.oplog.command('admin', { applyOps }, { lsid, txnNumber: BSON.Long.fromNumber(this.#made) });
  }

  /** Changes the object, and writes the change down by the grammar: neither is made from the other. */
  #change(name: string, id: number): void {
    const document = this.#documents.get(name)!.get(id)!;
    const value = this.#number();
    const diff = [
      () => this.#set(document, `f${this.#random.below(4)}`, value),
      () => {
        if (!('f0' in document)) return this.#set(document, 'g', value);
        delete document.f0;
        return { d: { f0: false } };
      },
      () => {
        if (!document.n) return this.#set(document, 'n', { x: value });
        document.n.x = value;
        return { sn: { u: { x: value } } };
      },
      () => {
        if (!Array.isArray(document.list)) return this.#set(document, 'list', [value]);
        document.list.push(value);
        return { slist: { a: true, [`u${document.list.length - 1}`]: value } };
      },
      () => {
        if (!document.list?.length) return this.#set(document, 'list', [value, value]);
        document.list.pop();
        return { slist: { a: true, l: document.list.length } };
      },
    ][this.#random.below(5)]!();
    this.oplog.update(`live.${name}`, id, { $v: 2, diff });
  }

  #set(document: Document, field: string, value: unknown): Document {
    const section = field in document ? 'u' : 'i';
    document[field] = value;
    return { [section]: { [field]: value } };
  }

  #number(): number {
    return this.#random.below(1000);
  }

  #publish(): void {
    for (const [name, documents] of this.#documents)
      this.databases.get('live')!.get(name)!.documents = [...documents.values()].map(bson);
    this.states.set(this.oplog.time.i, stateOf(this.databases));
  }
}

export function stateOf(databases: Databases): string {
  const collections = ['a', 'b', 'c'].map((name) => [name, documentsOf(databases, `live.${name}`)]);
  return JSON.stringify(collections);
}
