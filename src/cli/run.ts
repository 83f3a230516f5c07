/** Runs the command that the arguments name. */
export async function main(args: readonly string[]): Promise<void> {
  process.stdout.write(`holdfast ${args.join(' ')}\n`);
}
