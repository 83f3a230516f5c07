import { after } from 'node:test';
import { Restic } from '../servers/restic.ts';
import { startVersitygw } from '../servers/versitygw.ts';
import { judgePassword, storageJudge } from './storage-judge.ts';

const server = await startVersitygw();
after(() => server.stop());
const { credentials } = server;
const bucket = await server.makeBucket();
const env = {
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
};
const location = (path: string): string => `s3:${server.endpoint}/${bucket}/${path}`;

storageJudge({
  name: 'S3',
  location,
  options: { s3: { credentials } },
  env,
  restic: (path, folder) => {
    const restic = new Restic({ repository: location(path), password: judgePassword, folder, env });
    return (...args) => restic.run(...args);
  },
  // Beyond what may wait in memory, so some parts are at the server.
  killedAtMiB: 64,
});
