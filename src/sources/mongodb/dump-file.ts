/** A file of the dump's folder, or of a database's. */
export interface DumpFile {
  name: string;
  isVital: boolean;
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export function textFile(name: string, text: string): DumpFile {
  return {
    name,
    isVital: true,
    async *open() {
      yield Buffer.from(text);
    },
  };
}

/** Rejects with the signal's reason when it is aborted. */
export function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
