// Forgets all snapshots but the newest of the repository that is named, and prunes at once: to be killed by a test.
import { forgetSnapshots, inlineExecutor, openRepository, pruneRepository } from '#repository';

const [storage, password] = process.argv.slice(2);
const repository = await openRepository({
  storage: storage!,
  password: password!,
  executor: inlineExecutor(),
});
const keep = await repository.findSnapshot('latest');
await forgetSnapshots(repository, (snapshots) =>
  snapshots.map(({ id }) => id).filter((id) => id !== keep.id),
);
process.stdout.write('pruning\n');
await pruneRepository(repository, {
  graceMs: 0,
  packSizeBytes: 512 * 1024,
  maxUnused: { percent: 0 },
});
