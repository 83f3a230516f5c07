import { MongoConnection } from './connection.ts';

/** Begins the name of each database that a drill makes, so that a drill never meets what is anybody's. */
const prefix = 'holdfast_drill_';

/** How a drill names what it restores. */
export const drillRename = { from: '$database$.$collection$', to: `${prefix}$database$.$collection$` };

/** Drops the databases of drills, those of an interrupted one too. @throws SourceError */
export async function dropDrillDatabases(url: string): Promise<void> {
  const connection = await MongoConnection.open(url, { isWriting: true });
  try {
    const what = 'cannot list the databases of the throw-away place';
    const { databases } = await connection.command('admin', { listDatabases: 1, nameOnly: true }, what);
    for (const { name } of databases as { name: string }[])
      if (name.startsWith(prefix))
        await connection.command(name, { dropDatabase: 1 }, `cannot drop the database ${name}`);
  } finally {
    await connection.close();
  }
}
