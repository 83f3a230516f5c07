import { parseLocation, type Storage } from '#storage';
import { SourceError } from '../errors.ts';
import type { Source, SourceEvent } from '../source.ts';
import { listObjects } from './list-objects.ts';
import { folderAttributes, ObjectContent, type TagReading } from './object-content.ts';
import { pathOfKey } from './object-path.ts';
import { ObjectTree, type TreeStep } from './object-tree.ts';

export interface BucketSourceOptions {
  /** Of any kind; closed by who opened it. */
  storage: Storage;
  /** What stands for the location in the snapshot: `bucket/prefix`. */
  root: string;
  /** Default: 'told'. */
  tags?: TagReading;
}

/**
 * A bucket, or what is below a prefix of it, each object a file: docs/format/bucket-source.md. What a server's list
 * shows unchanged is not asked for again.
 */
export function bucketSource({ storage, root, tags = 'told' }: BucketSourceOptions): Source {
  const top = pathOfKey(root);
  let failure: Error | undefined;
  const onUnreachable = (error: Error) => {
    failure ??= error;
  };

  /** Steps of the tree as events, and content for its objects. */
  function eventOf(step: TreeStep): SourceEvent {
    const names = [...top, ...step.path];
    const path = names.map((name) => Buffer.from(name));
    if (step.kind === 'leave') return { kind: 'leave', path };
    if (step.kind === 'enter') return { kind: 'entry', path, attributes: folderAttributes() };
    const { object } = step;
    const key = names.join('/') === `${root}/${object.name}` ? undefined : object.name;
    const content = new ObjectContent({ storage, object, key, tags, onUnreachable });
    return { kind: 'entry', path, attributes: content.describe().attributes, content };
  }

  return {
    paths: [`/${top.join('/')}`],
    streamConcurrency: storage.capabilities.concurrency,
    async *read(signal) {
      const tree = new ObjectTree();
      const uppers = top.map((_, i) => top.slice(0, i + 1).map((name) => Buffer.from(name)));
      let isEmpty = true;
      for await (const object of listObjects(storage, signal)) {
        if (failure) throw failure;
        if (isEmpty) for (const path of uppers) yield { kind: 'entry', path, attributes: folderAttributes() };
        isEmpty = false;
        for (const step of tree.add(object)) yield eventOf(step);
      }
      if (isEmpty) throw nothingThere(storage);
      for (const step of tree.end()) yield eventOf(step);
      for (const path of uppers.reverse()) yield { kind: 'leave', path };
    },
    close: async () => {},
  };
}

/** What stands for a location in a snapshot: the bucket's name and the prefix. @throws StorageError 'storage.location' */
export function bucketRootOf(location: string): string {
  const place = parseLocation(location);
  if (place.kind !== 's3')
    throw new SourceError('sources.location', `${location} is no bucket`, {
      hint: 'Write it as s3:https://host/bucket/prefix.',
    });
  return [place.bucket, place.prefix].filter((part) => part !== '').join('/');
}

function nothingThere(storage: Storage): SourceError {
  return new SourceError('sources.absent', `there is no object in ${storage.location}`, {
    hint: 'Check the name of the bucket and the prefix; an empty bucket is not backed up.',
  });
}
