import { BSON, type Document } from 'mongodb';

/** Entries as a member of a replica set writes them; times are given, or follow each other. */
export class OplogWriter {
  readonly entries: Uint8Array[] = [];
  term: number;
  #time: { t: number; i: number };

  constructor({ t = 1_700_000_000, term = 1 }: { t?: number; term?: number } = {}) {
    this.#time = { t, i: 0 };
    this.term = term;
  }

  /** The time of the last entry. */
  get time(): { t: number; i: number } {
    return this.#time;
  }

  add(fields: Document, time?: { t: number; i: number }): Uint8Array {
    this.#time = time ?? { t: this.#time.t, i: this.#time.i + 1 };
    const bytes = BSON.serialize({
      ...fields,
      ts: new BSON.Timestamp(this.#time),
      t: BSON.Long.fromNumber(this.term),
      v: BSON.Long.fromNumber(2),
      wall: new Date(this.#time.t * 1000),
    });
    this.entries.push(bytes);
    return bytes;
  }

  insert(ns: string, document: Document): Uint8Array {
    return this.add({ op: 'i', ns, o: document, o2: { _id: document._id } });
  }

  update(ns: string, id: unknown, update: Document): Uint8Array {
    return this.add({ op: 'u', ns, o: update, o2: { _id: id } });
  }

  delete(ns: string, id: unknown): Uint8Array {
    return this.add({ op: 'd', ns, o: { _id: id } });
  }

  command(database: string, o: Document, more: Document = {}): Uint8Array {
    return this.add({ op: 'c', ns: `${database}.$cmd`, o, ...more });
  }

  noop(msg = 'periodic noop'): Uint8Array {
    return this.add({ op: 'n', ns: '', o: { msg } });
  }
}
