import { createRequire } from 'node:module';
import type { Document } from 'mongodb';
import { elementsOf } from './bson-bytes.ts';
import type { MongoConnection } from './connection.ts';

/** The driver's own class for a section of documents in a message (OP_MSG, kind 1). */
interface DocumentSequence {
  push(document: Document, bytes: Uint8Array): number;
}

// The driver serializes what it is given, which loses duplicate names, order and types; see docs/decisions/0121.
const { DocumentSequence: Sequence } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js') as {
  DocumentSequence: new (field: string) => DocumentSequence;
};

/** What became of one batch. */
export interface InsertedBatch {
  inserted: number;
  /** Why documents were refused, by the server's words. */
  refused: string[];
  /** Places in the batch of those whose `_id`, or another unique value, is there already. */
  doubles: number[];
}

const duplicateKey = 11000;

export interface InsertOptions {
  database: string;
  collection: string;
  isOrdered: boolean;
  /** Fields of the command that depend on the server and on the kind of collection. */
  more: Document;
}

/** Inserts documents byte for byte. @throws SourceError when the server does not answer */
export async function insertRaw(
  connection: MongoConnection,
  documents: readonly Uint8Array[],
  { database, collection, isOrdered, more }: InsertOptions,
): Promise<InsertedBatch> {
  const command = {
    insert: collection,
    ordered: isOrdered,
    ...more,
    writeConcern: { w: 'majority' },
    documents: rawSequence('documents', documents),
  };
  const reply = await connection.command(database, command, `cannot insert into ${database}.${collection}`);
  const errors = (reply.writeErrors ?? []) as { errmsg?: string; code?: number; index?: number }[];
  const refused = errors.map(({ errmsg }) => connection.url.redact(String(errmsg)));
  const concern: unknown = reply.writeConcernError?.errmsg;
  return {
    inserted: Number(reply.n),
    doubles: errors.filter(({ code }) => code === duplicateKey).map(({ index }) => Number(index)),
    refused: concern === undefined ? refused : [...refused, `not durable on a majority: ${concern}`],
  };
}

/** The value of a command's field that is sent as a section of these documents, byte for byte. */
export function rawSequence(field: string, documents: readonly Uint8Array[]): unknown {
  const sequence = new Sequence(field);
  for (const document of documents) sequence.push({}, document);
  return sequence;
}

/** The document as a server stores it: `_id` comes first. */
export function asStored(document: Uint8Array): Uint8Array {
  let at = 4;
  for (const element of elementsOf(document)) {
    const end = element.value.byteOffset + element.value.length - document.byteOffset;
    if (element.name === '_id') {
      if (at === 4) return document;
      return Buffer.concat([
        document.subarray(0, 4),
        document.subarray(at, end),
        document.subarray(4, at),
        document.subarray(end),
      ]);
    }
    at = end;
  }
  return document;
}
