import type { Clock, FileAttributes } from '#base';
import { plainAttributes } from '../plain-attributes.ts';
import type { SourceEvent, SourceProblem } from '../source.ts';
import type { DumpFile } from './dump-file.ts';
import { dumpFolder, manifestName } from './manifest.ts';

export interface DumpDatabase {
  name: string;
  files: DumpFile[];
}

/** What lies in a dump's folder, wherever it comes from. */
export interface DumpedEntries {
  /** In the order in which they are read; every `open` is called once. */
  entries(): (DumpFile | DumpDatabase)[];
  /** Waits until all was read. */
  finish(): Promise<SourceProblem[]>;
  /** The text of the manifest, when the dump is finished. */
  manifest(): AsyncIterable<Uint8Array>;
}

/** Yields a dump as `FOLDER/dump/…` and, last of all, the manifest beside it. */
export async function* dumpEvents(
  dump: DumpedEntries,
  folder: string,
  clock: Clock,
): AsyncGenerator<SourceEvent> {
  const attributes = attributesAt(clock.nowMs());
  const directory = (...names: string[]): SourceEvent => ({
    kind: 'entry',
    path: pathOf(folder, ...names),
    attributes: attributes.dir,
  });
  const leave = (...names: string[]): SourceEvent => ({ kind: 'leave', path: pathOf(folder, ...names) });
  const file = (names: string[], { isVital, open }: Omit<DumpFile, 'name'>): SourceEvent => ({
    kind: 'entry',
    path: pathOf(folder, ...names),
    attributes: attributes.file,
    content: { open, isVital },
  });
  yield directory();
  yield directory(dumpFolder);
  for (const entry of dump.entries()) {
    if (!('files' in entry)) yield file([dumpFolder, entry.name], entry);
    else {
      yield directory(dumpFolder, entry.name);
      for (const one of entry.files) yield file([dumpFolder, entry.name, one.name], one);
      yield leave(dumpFolder, entry.name);
    }
  }
  yield leave(dumpFolder);
  for (const problem of await dump.finish()) yield { kind: 'problem', problem };
  yield file([manifestName], { isVital: true, open: () => dump.manifest() });
  yield leave();
}

function pathOf(...names: string[]): Uint8Array[] {
  return names.map((name) => Buffer.from(name));
}

function attributesAt(nowMs: number): { dir: FileAttributes; file: FileAttributes } {
  const timeNs = BigInt(Math.round(nowMs)) * 1_000_000n;
  // A dump is for its owner's eyes when it is restored.
  return {
    dir: { ...plainAttributes('dir', timeNs), mode: 0o700 },
    file: { ...plainAttributes('file', timeNs), mode: 0o600 },
  };
}
