// The command line: one file per command. main.ts is its only user.

export { commandSurroundings } from './command-surroundings.ts';
export type { CommandEntry } from './command-table.ts';
export { main } from './run.ts';
