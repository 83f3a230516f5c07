import { after } from 'node:test';
import { openStorage } from '#storage';
import { storageContract } from '../../src/storage/testing/contract.ts';
import { startMoto } from '../servers/moto.ts';
import { startVersitygw } from '../servers/versitygw.ts';

/** A content that is shorter than announced is worth a try again, but not minutes. */
const retry = { attemptsMax: 2, pauseMs: 1 };
const versitygw = await startVersitygw();
after(() => versitygw.stop());
const moto = await startMoto();
after(() => moto.stop());

for (const [name, server, keeps] of [
  ['versitygw', versitygw, undefined],
  ['versitygw, versions', versitygw, 'versions'],
  ['moto', moto, undefined],
] as const) {
  const bucket = await server.makeBucket(keeps ? { keeps } : {});
  storageContract({
    name: `S3 at ${name}`,
    open: () =>
      openStorage(`s3:${server.endpoint}/${bucket}/some/prefix`, {
        s3: { credentials: server.credentials },
        retry,
      }),
  });
}
