import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/**
 * Serves the dashboard: files with a hash in their name are kept by browsers for a year, the page itself never. Paths of
 * the dashboard's own pages give the page.
 */
export async function servePages(app: FastifyInstance, folder: string): Promise<void> {
  const page = join(folder, 'index.html');
  if (!existsSync(page)) return;
  const html = readFileSync(page, 'utf8');
  const route = { config: { needs: 'open' }, schema: { hide: true } } as const;
  await app.register(fastifyStatic, { root: folder, serve: false });
  app.get('/assets/:file', route, (request, reply) => {
    const { file } = request.params as { file: string };
    return reply.sendFile(join('assets', file), { maxAge: '365d', immutable: true });
  });
  for (const name of ['theme.js', 'icon.svg']) app.get(`/${name}`, route, (_, reply) => reply.sendFile(name));
  app.get('/*', route, (request, reply) => {
    if (request.url.startsWith('/api/')) return reply.callNotFound();
    return reply.type('text/html').header('cache-control', 'no-cache').send(html);
  });
}
