import type { Command } from 'commander';

/** A file of commands/: adds its arguments, options, examples and action to the command of its name. */
interface CommandModule {
  /** @param buildAll makes the program with every command defined */
  define(command: Command, buildAll: () => Promise<Command>): void;
}

export interface CommandEntry {
  summary: string;
  load(): Promise<CommandModule>;
}

/** Every command, in the order of `holdfast --help`. A command's code is loaded only when it is run. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  init: { summary: 'make a new repository', load: () => import('./commands/init.ts') },
  backup: { summary: 'back up files, folders or standard input', load: () => import('./commands/backup.ts') },
  snapshots: { summary: 'list snapshots, newest last', load: () => import('./commands/snapshots.ts') },
  ls: { summary: 'list what is in a snapshot', load: () => import('./commands/ls.ts') },
  find: { summary: 'find files in snapshots', load: () => import('./commands/find.ts') },
  diff: { summary: 'tell what changed between two snapshots', load: () => import('./commands/diff.ts') },
  stats: { summary: 'tell how much snapshots hold', load: () => import('./commands/stats.ts') },
  dump: {
    summary: 'write a file of a snapshot, or a folder as an archive',
    load: () => import('./commands/dump.ts'),
  },
  restore: { summary: 'restore a snapshot, or a part of it', load: () => import('./commands/restore.ts') },
  guard: {
    summary: 'run a dangerous command only after a proven snapshot',
    load: () => import('./commands/guard.ts'),
  },
  check: { summary: 'check a repository', load: () => import('./commands/check.ts') },
  forget: {
    summary: 'drop snapshots that a policy does not keep',
    load: () => import('./commands/forget.ts'),
  },
  prune: { summary: 'free the space of what no snapshot needs', load: () => import('./commands/prune.ts') },
  copy: { summary: 'copy snapshots from another repository', load: () => import('./commands/copy.ts') },
  replicate: {
    summary: 'keep a second storage equal to a first',
    load: () => import('./commands/replicate.ts'),
  },
  tag: { summary: 'change the tags of snapshots', load: () => import('./commands/tag.ts') },
  key: { summary: 'manage the passwords of a repository', load: () => import('./commands/key.ts') },
  lock: {
    summary: 'make snapshots immutable by object lock',
    load: () => import('./commands/lock.ts'),
  },
  unlock: { summary: 'remove locks that nobody holds', load: () => import('./commands/unlock.ts') },
  repair: {
    summary: 'save what can be saved of a damaged repository',
    load: () => import('./commands/repair.ts'),
  },
  storage: { summary: 'try a storage out', load: () => import('./commands/storage.ts') },
  source: {
    summary: 'try a source out: what a backup would find',
    load: () => import('./commands/source.ts'),
  },
  config: {
    summary: 'look at a holdfast.yaml: what it says, and what is wrong with it',
    load: () => import('./commands/config.ts'),
  },
  catalog: {
    summary: 'move what Holdfast knows to another database, change its key',
    load: () => import('./commands/catalog.ts'),
  },
  demo: {
    summary: 'back a folder up, restore it, and prove that nothing was lost',
    load: () => import('./commands/demo.ts'),
  },
  completion: {
    summary: 'print the completion script of a shell',
    load: () => import('./commands/completion.ts'),
  },
  version: { summary: 'print the version', load: () => import('./commands/version.ts') },
};
