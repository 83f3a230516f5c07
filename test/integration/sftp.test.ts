import { after } from 'node:test';
import { openStorage } from '#storage';
import { storageContract } from '../../src/storage/testing/contract.ts';
import { startSshd } from '../servers/sshd.ts';

/** A content that is shorter than announced is worth a try again, but not minutes. */
const retry = { attemptsMax: 2, pauseMs: 1 };
const server = await startSshd();
after(() => server.stop());

const plain = await startSshd({
  forbid: ['posix-rename', 'hardlink', 'fsync', 'statvfs', 'limits', 'setstat', 'fsetstat'],
});
after(() => plain.stop());

for (const [name, { location, options }] of [
  ['OpenSSH', server],
  ['a server without extensions', plain],
] as const) {
  storageContract({
    name: `SFTP at ${name}`,
    open: () => openStorage(location('/data/some/folder'), { sftp: options, retry }),
  });
}
