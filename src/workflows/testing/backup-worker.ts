import { initRepository } from '#repository';
import { filesSource } from '#sources';
import { backup } from '../backup.ts';

// Run by a test as another user: makes a repository, backs a folder up, and tells how it went.
const [storage, path] = process.argv.slice(2);
const repository = await initRepository({
  storage: storage!,
  password: 'nobody',
  kdf: { N: 1024, r: 8, p: 1 },
});
const { state, problems } = await backup({ repository, source: filesSource({ paths: [path!] }) });
const said = problems.map((problem) => `${problem.gravity} ${problem.path}: ${problem.error.message}`);
process.stdout.write(JSON.stringify({ state, problems: said }));
