import { join, resolve } from 'node:path';

const web = resolve(import.meta.dirname, '../web');

/** Builds the dashboard. @returns the folder that the server serves */
export async function buildWeb(): Promise<string> {
  // Loaded here: vite is needed in a checkout only.
  const { build } = await import('vite');
  await build({ configFile: join(web, 'vite.config.ts'), logLevel: 'warn' });
  return join(web, 'generated');
}
