import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type OpenOptions, openStorage } from '#storage';
import { startSshd } from '../servers/sshd.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { simulate } from './simulation/simulate.ts';
import { Tally } from './simulation/tally.ts';

const firstSeed = 21;
const seedCount = 20;
/** Worlds that share the server. */
const worldsAtOnce = 4;
/** Faults are planned: the simulated processes retry, the storage below them does not. */
const noRetry = { attemptsMax: 1 };

/** Runs worlds whose processes store at a real server. @returns what was wrong, and what was met how often */
async function simulateAt(locationOf: (name: string) => string, options: OpenOptions) {
  const seeds = Array.from({ length: seedCount }, (_, i) => firstSeed + i);
  const wrong: string[] = [];
  const tally = new Tally();
  const work = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const open = (name: string) =>
        openStorage(locationOf(`${seed}/${name}`), { ...options, retry: noRetry });
      const [main, mirror] = await Promise.all([open('main'), open('mirror')]);
      const result = await simulate(seed, { main, mirror });
      tally.addAll(result.tally);
      for (const what of result.wrong) wrong.push(`seed ${seed} (${result.mood}): ${what}`);
      await Promise.all([main.close(), mirror.close()]);
    }
  };
  await Promise.all(Array.from({ length: worldsAtOnce }, work));
  return { wrong, tally };
}

/** Of each line so many worlds must have met something, so that the faults do reach the storage. */
const mustBeMet = [
  ['write × crash', 'write × crash-after', 'delete × crash', 'delete × crash-after'],
  ['write × late', 'delete × late'],
  ['write × cut', 'read × cut', 'list × cut'],
  ['write × fail-after', 'delete × fail-after'],
  ['list × stale'],
  ['write × sleep', 'write × sleep-after', 'delete × sleep', 'delete × sleep-after'],
  ['backup × done'],
  ['prune × done'],
];

function assertTried(tally: Tally): void {
  const unmet = mustBeMet.filter((line) => line.every((what) => tally.of(what) === 0));
  assert.deepEqual(unmet, [], 'no world met one of these');
}

test('over S3, whatever happens, no reported snapshot is lost, and the next run goes on', async () => {
  const server = await startVersitygw();
  after(() => server.stop());
  const bucket = await server.makeBucket();
  const { wrong, tally } = await simulateAt((name) => `s3:${server.endpoint}/${bucket}/${name}`, {
    s3: { credentials: server.credentials },
  });
  assert.deepEqual(wrong, []);
  assertTried(tally);
});

test('over SFTP, whatever happens, no reported snapshot is lost, and the next run goes on', async () => {
  const server = await startSshd();
  after(() => server.stop());
  const { wrong, tally } = await simulateAt((name) => server.location(`/data/${name}`), {
    sftp: server.options,
  });
  assert.deepEqual(wrong, []);
  assertTried(tally);
});
