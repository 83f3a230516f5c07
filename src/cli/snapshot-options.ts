import type { Command } from 'commander';
import type { SnapshotFilter } from '#repository';
import { collectTags, collectText } from './values.ts';

export interface SnapshotOptions {
  host?: string[];
  tag?: string[][];
  name?: string[];
  path?: string[];
}

/** Options that choose snapshots; for a command that takes an id they narrow `latest`. */
export function addSnapshotOptions(command: Command): Command {
  return command
    .option('-H, --host <name>', 'only of this host (may be repeated)', collectText)
    .option('--tag <tags>', 'only with all of these tags, with commas (may be repeated)', collectTags)
    .option('--name <name>', 'only of this name (may be repeated)', collectText)
    .option('--path <path>', 'only with this path (may be repeated)', collectText);
}

export function filterOf(options: SnapshotOptions): SnapshotFilter {
  return {
    hostnames: options.host ?? [],
    tags: options.tag ?? [],
    names: options.name ?? [],
    paths: options.path ?? [],
  };
}

/** `ID:/path` or `ID` as the two parts. */
export function splitSnapshotPath(text: string): { id: string; path: string | undefined } {
  const colon = text.indexOf(':');
  return colon < 0
    ? { id: text, path: undefined }
    : { id: text.slice(0, colon), path: text.slice(colon + 1) };
}
