import { collect } from '#base';
import type { Source } from '../../source.ts';
import { type DumpManifest, parseManifest } from '../manifest.ts';

/** What a source yielded, as a snapshot would have it. */
export interface CollectedDump {
  /** Path in the deployment's folder → bytes: `dump/shop/orders.bson`. */
  files: Map<string, Uint8Array>;
  problems: string[];
  manifest: DumpManifest;
}

/** Reads a source as a backup does: streams at once, a lost one costs its file only, a vital one everything. */
export async function collectDump(source: Source): Promise<CollectedDump> {
  const { signal } = new AbortController();
  const files = new Map<string, Uint8Array>();
  const problems: string[] = [];
  const streams: Promise<void>[] = [];
  for await (const event of source.read(signal)) {
    if (event.kind === 'problem') {
      const { gravity, path, error } = event.problem;
      problems.push(`${gravity}: ${path}: ${error.message}`);
    }
    if (event.kind !== 'entry' || !event.content || !('open' in event.content)) continue;
    const path = event.path
      .slice(1)
      .map((name) => Buffer.from(name).toString())
      .join('/');
    const { open, isVital } = event.content;
    const stream = collect(open(signal)).then(
      (bytes) => void files.set(path, bytes),
      (error: Error) => {
        if (isVital) throw error;
        problems.push(`lost: ${path}: ${error.message}`);
      },
    );
    streams.push(stream);
  }
  await Promise.all(streams);
  const manifest = parseManifest(Buffer.from(files.get('manifest.json')!).toString());
  return { files, problems, manifest };
}
