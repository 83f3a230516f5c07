import { startMongoServer } from './mongo-java-server.ts';

/** A member of a replica set. */
export interface ReplicaSet {
  url: string;
  /** Whether it is a MongoDB server, whose updates are in the oplog as MongoDB has them. */
  isMongod: boolean;
  stop(): Promise<void>;
}

/**
 * What `HOLDFAST_TEST_MONGODB` names, in which the tests use databases of their own, `holdfast_…`; otherwise the server in
 * memory that plays one.
 */
export async function startReplicaSet(): Promise<ReplicaSet> {
  const url = process.env.HOLDFAST_TEST_MONGODB;
  if (url) return { url, isMongod: true, stop: async () => {} };
  const server = await startMongoServer({ replicaSet: 'rs0' });
  return { url: server.url, isMongod: false, stop: () => server.stop() };
}
