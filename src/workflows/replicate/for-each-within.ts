/** How much is under way at once. */
export interface Bounds {
  countMax: number;
  /** Of memory, by weight; a single item may be heavier. */
  bytesMax: number;
}

/**
 * Works on items as they come, several at once within the bounds. The first failure keeps further ones from being
 * begun, and rejects once what was begun has ended.
 */
export async function forEachWithin<T>(
  items: Iterable<T>,
  { countMax, bytesMax }: Bounds,
  { weigh, work }: { weigh(item: T): number; work(item: T): Promise<void> },
): Promise<void> {
  const running = new Set<Promise<void>>();
  let heldBytes = 0;
  let failure: { error: unknown } | undefined;
  for (const item of items) {
    const bytes = weigh(item);
    while (running.size > 0 && (running.size >= countMax || heldBytes + bytes > bytesMax))
      await Promise.race(running);
    if (failure) break;
    heldBytes += bytes;
    const done: Promise<void> = work(item)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .then(() => {
        heldBytes -= bytes;
        running.delete(done);
      });
    running.add(done);
  }
  await Promise.all(running);
  if (failure) throw failure.error;
}
