import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Command } from './measure.ts';

/** A program that is measured; each function gives the command for one step. */
export interface Tool {
  name: string;
  isOurs: boolean;
  /** How it is to be read: which version, what it verifies. */
  description: string;
  /** Opens each blob again before upload. */
  verifies: boolean;
  /** It differs from the tool before it in the first backup; nothing else is measured. */
  isVariant: boolean;
  init(repository: string): Command;
  backup(repository: string, folder: string): Command;
  restore(repository: string, target: string): Command;
  checkData(repository: string): Command;
  /** Drops all snapshots but the newest and frees their space. */
  pruneToLast(repository: string): Command[];
}

const password = 'benchmark';

export function holdfastTool(options: { verify: boolean }): Tool {
  const program = join(import.meta.dirname, '../bin/holdfast');
  const env = { HOLDFAST_PASSWORD: password };
  const more = options.verify ? [] : ['--no-extra-verify'];
  return {
    isOurs: true,
    name: options.verify ? 'holdfast' : 'holdfast, no verify',
    description: options.verify ? 'opens each blob again before upload' : '--no-extra-verify',
    verifies: options.verify,
    isVariant: !options.verify,
    init: (repository) => ({ program, args: ['init', '-q', '-r', repository], env }),
    backup: (repository, folder) => ({
      program,
      args: ['backup', '-q', '-r', repository, '--no-scan', ...more, '.'],
      env,
      cwd: folder,
    }),
    restore: (repository, target) => ({
      program,
      args: ['restore', 'latest', '-q', '-r', repository, '--target', target],
      env,
    }),
    checkData: (repository) => ({ program, args: ['check', '-q', '--read-data', '-r', repository], env }),
    pruneToLast: (repository) => [
      {
        program,
        args: ['forget', '-q', '--keep-last', '1', '--group-by', '', '--prune', '-r', repository],
        env,
      },
    ],
  };
}

/** @param program a restic of any version; those before 0.16.4 do not verify before upload */
export function resticTool(program: string, cache: string): Tool[] {
  const version = versionOf(program, ['version']);
  const env = { RESTIC_PASSWORD: password, RESTIC_PROGRESS_FPS: '0.1' };
  const base = ['-q', '--cache-dir', cache];
  const tool = (name: string, description: string, more: string[]): Tool => ({
    isOurs: false,
    name,
    description,
    verifies: description.startsWith('opens'),
    isVariant: more.includes('--no-extra-verify'),
    init: (repository) => ({ program, args: [...base, 'init', '-r', repository], env }),
    backup: (repository, folder) => ({
      program,
      args: [...base, 'backup', '-r', repository, ...more, '.'],
      env,
      cwd: folder,
    }),
    restore: (repository, target) => ({
      program,
      args: [...base, 'restore', 'latest', '-r', repository, '--target', target],
      env,
    }),
    checkData: (repository) => ({ program, args: [...base, 'check', '--read-data', '-r', repository], env }),
    pruneToLast: (repository) => [
      {
        program,
        args: [...base, 'forget', '--keep-last', '1', '--group-by', '', '--prune', '-r', repository],
        env,
      },
    ],
  });
  if (!isNewer(version)) return [tool(`restic ${version}`, 'does not verify before upload', [])];
  return [
    tool(`restic ${version}`, 'opens each blob again before upload', ['--no-scan']),
    tool(`restic ${version}, no verify`, '--no-extra-verify', ['--no-scan', '--no-extra-verify']),
  ];
}

/** The program of this name on the PATH. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function versionOf(program: string, args: string[]): string {
  const { stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return /\d+\.\d+(?:\.\d+)?(?:-dev)?/.exec(stdout)?.[0] ?? '?';
}

/** Verifies before upload, and can be told not to count first. */
function isNewer(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 0 || minor >= 17;
}
