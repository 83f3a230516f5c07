import { BSON, type Document, type Timestamp } from 'mongodb';

/** The oplog of the scripted server: entries that a test may add to, or take away from, while it runs. */
export interface ScriptedOplog {
  entries: Uint8Array[];
}

/** What `find` on local.oplog.rs yields. */
export function findInOplog({ entries }: ScriptedOplog, { filter, sort, limit }: Document): Uint8Array[] {
  const from = filter?.ts?.$gte as Timestamp | undefined;
  const found = entries.filter((entry) => !from || timeOf(entry).comp(from) >= 0);
  if (sort?.$natural === -1) found.reverse();
  return limit ? found.slice(0, limit) : found;
}

/** What came after an entry, for a cursor that waits. */
export function afterInOplog({ entries }: ScriptedOplog, last: Uint8Array | undefined): Uint8Array[] {
  return last ? entries.filter((entry) => timeOf(entry).comp(timeOf(last)) > 0) : [...entries];
}

/** What `hello` tells of it. */
export function lastWriteOf({ entries }: ScriptedOplog): Document {
  const last = entries.at(-1);
  if (!last) return {};
  const opTime = { ts: timeOf(last), t: BSON.deserialize(last).t };
  return { lastWrite: { opTime, majorityOpTime: opTime } };
}

function timeOf(entry: Uint8Array): Timestamp {
  return BSON.deserialize(entry).ts as Timestamp;
}
