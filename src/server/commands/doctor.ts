import { statfsSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { formatSize, messageOf } from '#base';
import type { Repository } from '#contract';
import { openApi } from './api-client.ts';
import type { CommandSurroundings } from './serve.ts';

interface Finding {
  what: string;
  isWell: boolean;
  message: string;
}

const freeBytesMin = 2 ** 30;
const nodeMajorBest = 26;

export function defineDoctor(command: Command, surroundings: () => CommandSurroundings): void {
  command
    .description(
      'Tells what is well and what is not: the Node, the state directory, its master key, repositories, holdfast.yaml, ' +
        'the recovery kit. Exit code 3 when something is not.',
    )
    .action(async () => {
      const around = surroundings();
      const isJson = command.optsWithGlobals<{ json: boolean }>().json;
      const findings = [nodeFinding(), ...(await serverFindings(around))];
      // Of a server elsewhere, the directories are not ours to look at.
      if (!process.env.HOLDFAST_URL) findings.push(diskFinding(around.home), keyFinding(around.home));
      for (const finding of findings)
        around.say(
          isJson
            ? JSON.stringify(finding)
            : `${finding.isWell ? 'well    ' : 'NOT WELL'}  ${finding.what}: ${finding.message}`,
        );
      process.exitCode = findings.every(({ isWell }) => isWell) ? 0 : 3;
    });
}

function nodeFinding(): Finding {
  const isWell = Number(process.versions.node.split('.')[0]) >= nodeMajorBest;
  const message = isWell
    ? process.version
    : `${process.version} cannot restore everything; version ${nodeMajorBest} can`;
  return { what: 'Node', isWell, message };
}

function diskFinding(home: string): Finding {
  const { bavail, bsize } = statfsSync(home);
  const freeBytes = bavail * bsize;
  const message = `${formatSize(freeBytes)} free in ${home}`;
  return { what: 'disk', isWell: freeBytes >= freeBytesMin, message };
}

function keyFinding(home: string): Finding {
  const path = process.env.HOLDFAST_MASTER_KEY_FILE || `${home}/master.key`;
  try {
    const isWell = (statSync(path).mode & 0o077) === 0;
    const message = isWell ? `${path} is ours alone` : `others may read ${path}: chmod 600 it`;
    return { what: 'master key', isWell, message };
  } catch (error) {
    return { what: 'master key', isWell: false, message: messageOf(error) };
  }
}

async function serverFindings(around: CommandSurroundings): Promise<Finding[]> {
  await using api = await openApi(around);
  const { items } = await api.ask<{ items: Repository[] }>('GET', '/repositories');
  const repositories = items.map(({ name, status: { state, reason, seenAt } }) => ({
    what: `repository ${name}`,
    isWell: state === 'ready',
    message: `${reason?.message ?? state}, seen ${seenAt ?? 'never'}`,
  }));
  const kit = await api.ask<{ isStale: boolean; reasons: string[] }>('GET', '/recovery-kit/status');
  const config = await api.ask<{ last?: { isTaken: boolean; file: string } }>('GET', '/config/status');
  return [
    ...repositories,
    {
      what: 'recovery kit',
      isWell: !kit.isStale,
      message: kit.isStale ? kit.reasons.join('; ') : 'covers every repository',
    },
    ...(config.last
      ? [
          {
            what: 'holdfast.yaml',
            isWell: config.last.isTaken,
            message: `${config.last.file} ${config.last.isTaken ? 'holds' : 'has faults; what it said before holds'}`,
          },
        ]
      : []),
  ];
}
