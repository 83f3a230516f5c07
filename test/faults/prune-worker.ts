// Forgets all snapshots but the newest of the repository that is named, and prunes at once: to be killed by a test.
import { forgetSnapshots, openRepository, pruneRepository } from '#repository';

const repository = await openRepository({ storage: process.argv[2]!, password: process.argv[3]! });
const keep = await repository.findSnapshot('latest');
await forgetSnapshots(repository, (snapshots) =>
  snapshots.map(({ id }) => id).filter((id) => id !== keep.id),
);
process.stdout.write('pruning\n');
await pruneRepository(repository, { graceMs: 0, maxUnused: { percent: 0 } });
