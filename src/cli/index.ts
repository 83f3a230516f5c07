// The command line: one file per command. main.ts is its only user.
export { main } from './run.ts';
