import { CliError } from './errors.ts';

let controller: AbortController | undefined;

/**
 * Aborted by the first SIGINT or SIGTERM, so that work ends in order and locks are removed. A second one ends the
 * process at once. Without a call of this function signals act as usual.
 */
export function interruption(): AbortSignal {
  if (controller) return controller.signal;
  controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt(name));
  return controller.signal;
}

let taker: ((name: NodeJS.Signals) => void) | undefined;

/** While a program of the user's runs, signals are its own. @returns gives them back */
export function takeInterruptions(take: (name: NodeJS.Signals) => void): () => void {
  taker = take;
  return () => {
    taker = undefined;
  };
}

function interrupt(name: NodeJS.Signals): void {
  if (taker) return void taker(name);
  if (controller!.signal.aborted) process.exit(130);
  process.stderr.write(`\n${name}: ending in order; once more to end at once\n`);
  controller!.abort(
    new CliError('cli.interrupted', `interrupted by ${name}`, {
      hint: 'Run the same command again: what is stored already is found and not sent twice.',
    }),
  );
}
