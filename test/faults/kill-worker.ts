// Does one piece of work on a repository until it ends or is killed: `prune FOLDER`, `copy FOLDER FROM`, `backup FOLDER`.
import { seededRandom } from '#base';
import {
  copySnapshots,
  inlineExecutor,
  openRepository,
  pruneRepository,
  type Repository,
  streamAttributes,
  writeSnapshot,
} from '#repository';

const [work, location, from] = process.argv.slice(2);
const packSizeBytes = 32 * 1024;
const fileCount = 60;

const open = (storage: string): Promise<Repository> =>
  openRepository({ storage, password: 'kill', executor: inlineExecutor() });

async function* content(): AsyncGenerator<Uint8Array> {
  yield seededRandom(process.pid).fill(new Uint8Array(20_000));
}

const repository = await open(location!);
process.stdout.write('begun\n');
switch (work) {
  case 'prune':
    await pruneRepository(repository, { graceMs: 0, packSizeBytes, maxUnused: { percent: 0 } });
    break;
  case 'copy':
    await copySnapshots(await open(from!), repository, { packSizeBytes });
    break;
  case 'backup':
    await writeSnapshot(repository, { paths: ['/killed'], packSizeBytes }, async (writer) => {
      for (let i = 0; i < fileCount; i++)
        await writer.addFile(Buffer.from(`f${i}`.padStart(4, '0')), streamAttributes(0n), { open: content });
    });
}
process.stdout.write('ended\n');
