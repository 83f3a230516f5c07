import type { Command } from 'commander';
import { programVersion, versionNumber } from '../program-version.ts';

export function define(command: Command): void {
  command.action(() => {
    const { json } = command.optsWithGlobals<{ json: boolean }>();
    const { version: node, platform, arch } = process;
    const facts = { version: versionNumber(), node, platform, arch };
    process.stdout.write(json ? `${JSON.stringify(facts)}\n` : programVersion());
  });
}
