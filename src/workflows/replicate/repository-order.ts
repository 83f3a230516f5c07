import { isDeepStrictEqual } from 'node:util';
import { collect } from '#base';
import type { FileInfo, Storage } from '#storage';
import { WorkflowError } from '../errors.ts';

/**
 * Where each file of a repository stands when it is copied: what others refer to goes first. Deletes go the other way,
 * so the target is a sound repository at any time.
 */
const order = ['keys/', 'config', 'data/', 'index/', 'snapshots/'] as const;

/** Who works on a repository; never replicated. */
export const locksPrefix = 'locks/';

export const indexStage: number = order.indexOf('index/');

/** All that is not a repository has one stage; what a repository does not know of goes with the packs. */
export function stagesOf(isRepository: boolean): { stages: number[]; stageOf(name: string): number } {
  if (!isRepository) return { stages: [0], stageOf: () => 0 };
  const stageOf = (name: string): number => {
    const stage = order.findIndex((each) => (each === 'config' ? name === each : name.startsWith(each)));
    return stage < 0 ? order.indexOf('data/') : stage;
  };
  return { stages: [...order.keys()], stageOf };
}

/** What is copied from this stage on, for people. */
export function stagesFrom(stage: number): string {
  return order.slice(stage).join(', ');
}

/** The name of a file that is named by the SHA-256 of its content, or undefined. */
export function sha256InName(name: string): string | undefined {
  return /^(?:data\/[0-9a-f]{2}|index|snapshots|keys)\/([0-9a-f]{64})$/.exec(name)?.[1];
}

interface Options {
  signal: AbortSignal | undefined;
}

/** A repository of restic's format has a config, and keys that are named by hashes. */
export async function isRepository(storage: Storage, options: Options): Promise<boolean> {
  if (!(await storage.stat('config', options))) return false;
  return (await keyNames(storage, options)).some((name) => sha256InName(name) !== undefined);
}

/**
 * Two repositories are never mixed: the target is empty, has the same config, or shares a key.
 * @returns whether the target has the same config
 * @throws WorkflowError 'workflows.other-repository'
 */
export async function hasSameConfig(from: Storage, to: Storage, options: Options): Promise<boolean> {
  if (!(await to.stat('config', options))) return false;
  const read = (storage: Storage) => collect(storage.read('config', undefined, options));
  const [ours, theirs] = await Promise.all([read(from), read(to)]);
  if (Buffer.compare(ours, theirs) === 0) return true;
  // An upgrade of the format writes the config anew; keys stay.
  const known = new Set(await keyNames(from, options));
  if ((await keyNames(to, options)).some((name) => known.has(name))) return false;
  throw new WorkflowError('workflows.other-repository', `${to.location} holds another repository`, {
    hint: 'Choose an empty place, or the replica of this repository. `holdfast copy` copies snapshots into another one.',
  });
}

const listingsMax = 5;

/**
 * The index files, seen twice alike: while a prune replaces one by another, a single listing may show neither.
 * @throws WorkflowError 'workflows.changed'
 */
export async function settledIndex(storage: Storage, options: Options): Promise<FileInfo[]> {
  let before: Set<string> | undefined;
  for (let count = 0; count < listingsMax; count++) {
    const now: FileInfo[] = [];
    for await (const info of storage.list('index/', options)) now.push(info);
    const names = new Set(now.map(({ name }) => name));
    if (isDeepStrictEqual(before, names)) return now;
    before = names;
  }
  throw changing(storage);
}

/** The source repository changed in a way that makes what was listed of it useless. */
function changing({ location }: Storage): WorkflowError {
  return new WorkflowError('workflows.changed', `${location} is being pruned or rewritten`, {
    hint: 'Run it again when that is done; what was copied stays.',
  });
}

export async function namesOf(storage: Storage, prefix: string, options: Options): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const { name } of storage.list(prefix, options)) names.add(name);
  return names;
}

async function keyNames(storage: Storage, options: Options): Promise<string[]> {
  return [...(await namesOf(storage, 'keys/', options))];
}
