/**
 * Measures what goes over a network beside rclone, restic and OpenSSH's sftp: `scripts/node bench/network.ts
 * [--size 256] [--runs 3] [--cases sftp,replicate,backup] [--place FOLDER]`. The servers are real and on this machine;
 * SFTP has 10 ms more on the way there and back. Prints medians, and how many times faster we are.
 */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { systemRandom } from '#base';
import { requireProgram } from '../test/servers/debian.ts';
import type { S3Server } from '../test/servers/s3-server.ts';
import { startSshd } from '../test/servers/sshd.ts';
import { startVersitygw } from '../test/servers/versitygw.ts';
import { type Command, type Cost, measure, median } from './measure.ts';
import { findProgram } from './tools.ts';

const MiB = 1024 * 1024;
const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '256' },
    runs: { type: 'string', default: '3' },
    cases: { type: 'string', default: 'sftp,replicate,backup' },
    place: { type: 'string', default: join(tmpdir(), 'holdfast-bench-network') },
  },
});
const sizeMiB = Number(values.size);
const runs = Number(values.runs);
const oneWayMs = 5;
const password = 'benchmark';
const holdfast = join(import.meta.dirname, '../bin/holdfast');
const source = join(values.place, 'source');
const target = join(values.place, 'target');

/** One thing that two programs do; each run gets its number, for a place of its own. */
interface Case {
  name: string;
  peer: string;
  ours(run: number): Command;
  theirs(run: number): Command;
  /** Made before it, by the same program. */
  before?: { ours(run: number): Command; theirs(run: number): Command };
}

const cases: Record<string, () => Promise<void>> = {
  sftp: benchSftp,
  replicate: benchReplicate,
  backup: benchBackup,
};

makeSource();
say('| what | program | MiB/s | wall s | CPU s | peak RSS MiB | times as fast |');
say('|---|---|---:|---:|---:|---:|---:|');
for (const name of values.cases.split(',')) await cases[name]!();
rmSync(values.place, { recursive: true, force: true });

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A few files that nothing compresses and nothing has twice. */
function makeSource(): void {
  rmSync(values.place, { recursive: true, force: true });
  mkdirSync(source, { recursive: true });
  const fileCount = 8;
  for (let file = 0; file < fileCount; file++) {
    const bytes = systemRandom.fill(new Uint8Array((sizeMiB / fileCount) * MiB));
    writeFileSync(join(source, `file-${file}`), bytes);
  }
}

function compare({ name, peer, ours, theirs, before }: Case): void {
  const costs: { ours: Cost[]; theirs: Cost[] } = { ours: [], theirs: [] };
  for (let run = 0; run < runs; run++) {
    // In turn, so that both see the same weather.
    for (const [side, command] of [
      ['ours', ours],
      ['theirs', theirs],
    ] as const) {
      rmSync(target, { recursive: true, force: true });
      mkdirSync(target);
      if (before) measure(before[side](run));
      costs[side].push(measure(command(run)));
    }
  }
  const of = (list: Cost[], fact: keyof Cost): number => median(list.map((cost) => cost[fact]));
  const row = (program: string, list: Cost[], ratio: string): void => {
    const wall = of(list, 'wallSeconds');
    const cells = [(sizeMiB / wall).toFixed(0), wall.toFixed(2), of(list, 'cpuSeconds').toFixed(2)];
    say(`| ${name} | ${program} | ${cells.join(' | ')} | ${of(list, 'rssMiB').toFixed(0)} | ${ratio} |`);
  };
  const ratio = of(costs.theirs, 'wallSeconds') / of(costs.ours, 'wallSeconds');
  row('holdfast', costs.ours, ratio.toFixed(2));
  row(peer, costs.theirs, '');
}

async function benchSftp(): Promise<void> {
  const data = join(values.place, 'sftp');
  mkdirSync(data);
  const server = await startSshd({ data });
  const worker = new Worker(join(import.meta.dirname, 'delay-proxy.ts'), {
    workerData: { port: server.port, delayMs: oneWayMs },
  });
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  const env = { HOLDFAST_SFTP_KEY_FILE: server.keyFile, HOLDFAST_SFTP_KNOWN_HOSTS: server.knownHostsFile };
  writeFileSync(
    server.knownHostsFile,
    `[127.0.0.1]:${port} ${readFileSync(join(server.folder, 'host.pub'), 'utf8')}`,
  );
  const replicate = (from: string, to: string): Command => ({
    program: holdfast,
    args: ['replicate', '-q', from, to],
    env,
  });
  const sftp = (command: string): Command => {
    const batch = join(values.place, 'batch');
    writeFileSync(batch, `${command}\n`);
    chmodSync(server.keyFile, 0o600);
    const options = ['-i', server.keyFile, '-o', `UserKnownHostsFile=${server.knownHostsFile}`];
    return {
      program: 'sftp',
      args: ['-q', '-b', batch, ...options, '-P', String(port), `${server.user}@127.0.0.1`],
    };
  };
  const at = (folder: string) => server.location(`/data/${folder}`, port);
  const peer = 'OpenSSH sftp';
  compare({
    name: 'SFTP up, 10 ms',
    peer,
    ours: (run) => replicate(source, at(`ours-${run}`)),
    theirs: (run) => {
      const folder = join(data, `theirs-${run}`);
      mkdirSync(folder);
      chmodSync(folder, 0o777);
      return sftp(`put ${source}/* /data/theirs-${run}/`);
    },
  });
  compare({
    name: 'SFTP down, 10 ms',
    peer,
    ours: () => replicate(at('theirs-0'), target),
    theirs: () => sftp(`get /data/theirs-0/* ${target}/`),
  });
  await worker.terminate();
  await server.stop();
}

async function benchReplicate(): Promise<void> {
  const server = await startVersitygw();
  const bucket = await server.makeBucket();
  const { env, rclone } = loginsOf(server);
  const place = (path: string) => `s3:${server.endpoint}/${bucket}/${path}`;
  const ours = (from: string, to: string): Command => ({
    program: holdfast,
    args: ['replicate', '-q', from, to],
    env,
  });
  const theirs = (from: string, to: string): Command => ({
    program: requireProgram('rclone'),
    args: ['copy', '-q', from, to],
    env: rclone,
  });
  const peer = 'rclone copy';
  compare({
    name: 'replicate to S3',
    peer,
    ours: (run) => ours(source, place(`ours-${run}`)),
    theirs: (run) => theirs(source, `bench:${bucket}/theirs-${run}`),
  });
  compare({
    name: 'replicate from S3',
    peer,
    ours: () => ours(place('theirs-0'), target),
    theirs: () => theirs(`bench:${bucket}/theirs-0`, target),
  });
  await server.stop();
}

async function benchBackup(): Promise<void> {
  const server = await startVersitygw();
  const bucket = await server.makeBucket();
  const login = loginsOf(server).env;
  const env = { ...login, HOLDFAST_PASSWORD: password, XDG_CACHE_HOME: join(values.place, 'cache') };
  const ours = (run: number, ...args: string[]): Command => ({
    program: holdfast,
    args: [...args, '-q', '-r', `s3:${server.endpoint}/${bucket}/ours-${run}`],
    env,
  });
  const restic = findProgram('restic') ?? requireProgram('restic');
  const theirs = (run: number, ...args: string[]): Command => ({
    program: restic,
    args: ['-q', '-r', `s3:${server.endpoint}/${bucket}/theirs-${run}`, ...args],
    env: { ...login, RESTIC_PASSWORD: password, RESTIC_CACHE_DIR: join(values.place, 'restic-cache') },
  });
  compare({
    name: 'backup to S3',
    peer: 'restic',
    before: { ours: (run) => ours(run, 'init'), theirs: (run) => theirs(run, 'init') },
    ours: (run) => ours(run, 'backup', source, '--no-scan'),
    theirs: (run) => theirs(run, 'backup', source),
  });
  await server.stop();
}

function loginsOf({ credentials, endpoint }: S3Server) {
  const env = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  const rclone = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_BENCH_TYPE: 's3',
    RCLONE_CONFIG_BENCH_PROVIDER: 'Other',
    RCLONE_CONFIG_BENCH_ENDPOINT: endpoint,
    RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: credentials.accessKeyId,
    RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    // Debian's rclone refuses to start an S3 session with it.
    AWS_CA_BUNDLE: '',
  };
  return { env, rclone };
}
