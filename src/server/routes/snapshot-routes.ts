import { Readable } from 'node:stream';
import { z } from 'zod';
import { CatalogError, type SnapshotRecord } from '#catalog';
import { Entry, Name, PageQuery, PinInput, pageOf, Snapshot, SnapshotId } from '#contract';
import { openRepositorySpec } from '#plans';
import { archiveOf, type Repository, type TreeNode } from '#repository';
import type { ServerContext } from '../context.ts';
import { ServerError } from '../errors.ts';
import { callerOfRequest } from '../guard.ts';
import { presentSnapshot } from '../present/present-snapshot.ts';
import type { App } from './app-type.ts';

const Place = z.object({ repository: Name, id: SnapshotId });
const ListQuery = PageQuery.extend({
  repository: Name.optional(),
  plan: Name.optional(),
  source: z.string().max(200).optional(),
  trash: z.stringbool().default(false).describe('those in the trash too'),
});
const PathQuery = z.object({ path: z.string().startsWith('/').max(4096).default('/') });
const EntryQuery = PathQuery.extend({
  cursor: z.string().max(1024).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
});

/** Snapshots: list, look inside, download, pin, take back from the trash. */
export function snapshotRoutes(app: App, context: ServerContext): void {
  const { records, clock } = context;
  const get = async ({ repository, id }: z.infer<typeof Place>): Promise<SnapshotRecord> => {
    const found = await records.snapshots.find(repository, id);
    if (found) return found;
    throw new CatalogError('catalog.absent', `there is no snapshot ${id.slice(0, 8)} in ${repository}`, {
      hint: 'It may have been forgotten; the list of snapshots shows what is there.',
    });
  };

  app.get(
    '/snapshots',
    { config: { needs: 'read' }, schema: { querystring: ListQuery, response: { 200: pageOf(Snapshot) } } },
    async ({ query: { cursor, limit, trash, ...choice } }) => {
      const page = await records.snapshots.list({ ...choice, withTrash: trash }, { cursor, limit });
      return { items: page.items.map(presentSnapshot), ...(page.next && { next: page.next }) };
    },
  );

  app.get(
    '/repositories/:repository/snapshots/:id',
    { config: { needs: 'read' }, schema: { params: Place, response: { 200: Snapshot } } },
    async ({ params }) => presentSnapshot(await get(params)),
  );

  app.post(
    '/repositories/:repository/snapshots/:id/pins',
    { config: { needs: 'run' }, schema: { params: Place, body: PinInput, response: { 201: Snapshot } } },
    async (request, reply) => {
      const { params, body } = request;
      const { pins } = await get(params);
      const { kind, note, until } = body;
      const pin = {
        kind,
        note,
        by: callerOfRequest(request).name,
        at: new Date(clock.nowMs()).toISOString(),
      };
      await records.snapshots.savePins(params, [...pins, { ...pin, ...(until && { until }) }]);
      return reply.status(201).send(presentSnapshot(await get(params)));
    },
  );

  app.delete(
    '/repositories/:repository/snapshots/:id/pins',
    { config: { needs: 'run' }, schema: { params: Place, response: { 200: Snapshot } } },
    async ({ params }) => {
      await get(params);
      await records.snapshots.savePins(params, []);
      return presentSnapshot(await get(params));
    },
  );

  app.post(
    '/repositories/:repository/snapshots/:id/take-back',
    { config: { needs: 'run' }, schema: { params: Place, response: { 200: Snapshot } } },
    async ({ params }) => {
      await get(params);
      await records.snapshots.takeBack(params);
      return presentSnapshot(await get(params));
    },
  );

  contentRoutes(app, context);
}

/** What is inside: entries of a folder, one file, or an archive of a part. */
function contentRoutes(app: App, { records, surroundings }: ServerContext): void {
  const open = async (name: string) =>
    openRepositorySpec((await records.repositories.get(name)).spec, surroundings);

  app.get(
    '/repositories/:repository/snapshots/:id/entries',
    {
      config: { needs: 'read' },
      schema: { params: Place, querystring: EntryQuery, response: { 200: pageOf(Entry) } },
    },
    async ({ params: { repository, id }, query: { path, cursor, limit } }) => {
      await using opened = await open(repository);
      const snapshot = await opened.thing.findSnapshot(id);
      const node = path === '/' ? undefined : await find(opened.thing, id, path);
      const tree = node ? node.subtree : snapshot.tree;
      if (!tree)
        throw new ServerError('server.request', `${path} is no folder`, { hint: 'Ask for its folder.' });
      const nodes = await opened.thing.readTree(tree);
      const names = nodes
        .map((each) => presentEntry(each, path))
        .filter(({ name }) => cursor === undefined || name > cursor);
      names.sort((one, other) => (one.name < other.name ? -1 : 1));
      const items = names.slice(0, limit);
      return { items, ...(names.length > limit && { next: items.at(-1)!.name }) };
    },
  );

  app.get(
    '/repositories/:repository/snapshots/:id/file',
    { config: { needs: 'restore' }, schema: { params: Place, querystring: PathQuery } },
    async ({ params: { repository, id }, query: { path } }, reply) => {
      const opened = await open(repository);
      const node = await find(opened.thing, id, path);
      if (node.type !== 'file') {
        await opened[Symbol.asyncDispose]();
        throw new ServerError('server.request', `${path} is no file`, {
          hint: 'Download a folder as an archive.',
        });
      }
      const bytes = closingAfter(opened.thing.readFile(node), opened);
      reply.header('content-disposition', attachment(path.split('/').at(-1)!));
      reply.header('content-length', node.sizeBytes);
      return reply.type('application/octet-stream').send(Readable.from(bytes, { objectMode: false }));
    },
  );

  app.get(
    '/repositories/:repository/snapshots/:id/archive',
    {
      config: { needs: 'restore' },
      schema: {
        params: Place,
        querystring: PathQuery.extend({ format: z.enum(['tar', 'zip']).default('zip') }),
      },
    },
    async ({ params: { repository, id }, query: { path, format } }, reply) => {
      const opened = await open(repository);
      const snapshot = await opened.thing.findSnapshot(id);
      const bytes = closingAfter(archiveOf(opened.thing, snapshot, path, { format }), opened);
      reply.header(
        'content-disposition',
        attachment(`${path.split('/').filter(Boolean).at(-1) ?? id.slice(0, 8)}.${format}`),
      );
      return reply.type('application/octet-stream').send(Readable.from(bytes, { objectMode: false }));
    },
  );
}

async function find(repository: Repository, id: string, path: string): Promise<TreeNode> {
  const node = await repository.findNode(await repository.findSnapshot(id), path);
  if (node) return node;
  throw new CatalogError('catalog.absent', `there is no ${path} in the snapshot`, {
    hint: 'Look at its folders for the right path.',
  });
}

function presentEntry(node: TreeNode, folder: string): Entry {
  const name = Buffer.from(node.name).toString();
  const type = node.type === 'file' || node.type === 'dir' || node.type === 'symlink' ? node.type : 'other';
  return {
    name,
    path: `${folder === '/' ? '' : folder}/${name}`,
    type,
    ...(type === 'file' && { sizeBytes: node.sizeBytes }),
    modifiedAt: new Date(Number(node.mtimeNs / 1_000_000n)).toISOString(),
    ...(node.linkTarget && { linkTarget: Buffer.from(node.linkTarget).toString() }),
  };
}

/** The repository is open as long as bytes flow, also when the reader goes away. */
async function* closingAfter(
  bytes: AsyncIterable<Uint8Array>,
  opened: AsyncDisposable,
): AsyncGenerator<Uint8Array> {
  await using _ = opened;
  yield* bytes;
}

/** RFC 6266; the name comes from a backup and may hold anything. */
function attachment(name: string): string {
  return `attachment; filename="${name.replaceAll(/[^\w.-]/g, '_')}"; filename*=UTF-8''${encodeURIComponent(name)}`;
}
