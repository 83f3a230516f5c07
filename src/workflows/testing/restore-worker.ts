import { openRepository } from '#repository';
import { restore } from '../restore.ts';

// Run by a test that kills it: says when it begins, and restores the newest snapshot.
const [storage, path, target] = process.argv.slice(2);
const repository = await openRepository({ storage: storage!, password: 'kill' });
const snapshot = await repository.findSnapshot('latest');
process.stdout.write('begins\n');
const { state } = await restore({ repository, snapshot, path: path!, target: target! });
process.stdout.write(`${state}\n`);
