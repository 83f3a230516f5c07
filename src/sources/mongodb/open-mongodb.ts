import type { Source } from '../source.ts';
import type { MongoSourceOptions } from './mongo-source.ts';

/** A MongoDB deployment as a source; the driver is loaded when it is needed. @throws SourceError, see `mongoSource` */
export async function openMongoSource(options: MongoSourceOptions): Promise<Source> {
  const { mongoSource } = await import('./mongo-source.ts');
  return mongoSource(options);
}
