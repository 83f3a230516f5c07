import type { BucketObject, Objects, Storage } from '#storage';
import { SourceError } from '../errors.ts';
import { compareKeys } from './object-tree.ts';

/** A storage that lists in no order is sorted in memory, about 200 bytes for a file. */
const sortedMax = 2_000_000;

/** All objects of a storage in the order of their keys. A bucket is read page by page, the next one ahead. */
export function listObjects(storage: Storage, signal: AbortSignal): AsyncIterable<BucketObject> {
  return storage.objects ? allPages(storage.objects, signal) : sorted(storage, signal);
}

async function* allPages(bucket: Objects, signal: AbortSignal): AsyncGenerator<BucketObject> {
  let coming = bucket.page(undefined, { signal });
  for (;;) {
    const { objects, isLast } = await coming;
    const last = objects.at(-1);
    const isEnd = isLast || !last;
    if (!isEnd) {
      coming = bucket.page(last.name, { signal });
      // Told when it is awaited; until then, or when the walk ends before, it is nobody's.
      coming.catch(() => {});
    }
    yield* objects;
    if (isEnd) return;
  }
}

async function* sorted(storage: Storage, signal: AbortSignal): AsyncGenerator<BucketObject> {
  const all: BucketObject[] = [];
  for await (const info of storage.list('', { signal })) {
    if (all.push(info) > sortedMax) throw tooMany(storage);
  }
  yield* all.sort((a, b) => compareKeys(a.name, b.name));
}

function tooMany(storage: Storage): SourceError {
  return new SourceError('sources.too-many', `${storage.location} holds more than ${sortedMax} files`, {
    hint: 'It lists in no order, so all names have to be held; back up folders of it one by one.',
  });
}
