import { BSON, type Document } from 'mongodb';

/** What `$sample`, `$project` and `$sort` of `_id`s that are numbers yield. */
export function sampled(documents: readonly Uint8Array[], size: number): Uint8Array[] {
  const step = Math.max(1, Math.floor(documents.length / size));
  return inOrder(documents).filter((_, i) => i % step === 0);
}

/** Documents from `min` up to but without `max`, in the order of their `_id`. */
export function within(documents: readonly Uint8Array[], { min, max }: Document): Uint8Array[] {
  return inOrder(documents).filter((one) => {
    const id = idOf(one);
    return id >= (min?._id ?? Number.NEGATIVE_INFINITY) && id < (max?._id ?? Number.POSITIVE_INFINITY);
  });
}

function inOrder(documents: readonly Uint8Array[]): Uint8Array[] {
  return [...documents].sort((one, other) => idOf(one) - idOf(other));
}

function idOf(document: Uint8Array): number {
  return Number(BSON.deserialize(document)._id);
}
