/** How much is loaded before it is asked for. */
interface AheadLimits {
  countMax: number;
  bytesMax: number;
}

/** For the content of files: enough to hide the latency of a bucket, little enough to hold. */
export const contentAhead: AheadLimits = { countMax: 16, bytesMax: 16 * 1024 * 1024 };

/**
 * Loads items in order while later ones are already under way, so that the storage's latency overlaps. A load that
 * fails ends the stream where the item would have come, never before.
 * @param load starts at once; `sizeBytes` is what the result will hold in memory
 */
export async function* loadAhead<Item, Loaded>(
  items: AsyncIterable<Item> | Iterable<Item>,
  load: (item: Item) => { sizeBytes: number; loaded: Promise<Loaded> | Loaded },
  { countMax, bytesMax }: AheadLimits,
): AsyncGenerator<Loaded> {
  const ahead: { sizeBytes: number; loaded: Promise<Loaded> | Loaded }[] = [];
  let aheadBytes = 0;
  for await (const item of items) {
    const next = load(item);
    // Reported when its turn comes; until then nobody waits for it.
    if (next.loaded instanceof Promise) next.loaded.catch(() => {});
    ahead.push(next);
    aheadBytes += next.sizeBytes;
    while (ahead.length >= countMax || (aheadBytes > bytesMax && ahead.length > 1)) {
      const first = ahead.shift()!;
      yield await first.loaded;
      aheadBytes -= first.sizeBytes;
    }
  }
  for (const { loaded } of ahead) yield await loaded;
}
