import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { seededRandom } from '#base';
import { LiveServer, stateOf } from '../testing/live-server.ts';
import { dumpOf, restored, sliceOf, stopServers } from '../testing/replay-fixture.ts';

afterEach(stopServers);

for (const seed of [1, 2, 3, 4, 5, 6])
  test(`whatever happens while it is read, a dump and its oplog come to what the server had (seed ${seed})`, async () => {
    const live = new LiveServer(seed);
    const random = seededRandom(seed * 1000);
    const { databases, oplog } = live;
    const dump = await dumpOf({
      databases,
      oplog,
      intercept({ find, count }) {
        if (find !== 'oplog.rs' && (find || count)) for (let i = random.below(6); i > 0; i--) live.step();
        return undefined;
      },
    });
    assert.ok(dump.manifest.oplog!.captured!.count > 5);
    const { last } = dump.manifest.oplog!;
    const alone = await restored(dump);
    assert.equal(stateOf(alone.databases), live.states.get(last.i));
    for (let i = 0; i < 60; i++) live.step();
    const cut = last.i - 1 + random.below(oplog.entries.length - last.i);
    const slices = [sliceOf(oplog.entries.slice(0, cut + 1)), sliceOf(oplog.entries.slice(cut))];
    const until = { t: last.t, i: last.i + random.below(oplog.entries.length - last.i) };
    const later = await restored(dump, { slices, until });
    assert.deepEqual(later.problems, []);
    assert.equal(later.outcome.replayed!.misfits, 0);
    assert.equal(stateOf(later.databases), live.states.get(until.i));
  });
