import type { Repository, SnapshotId, StoredSnapshot } from '#repository';
import { changeTags } from '#repository';
import { coversChoice, type DumpChoice, streamFolder } from '#sources';
import { type BackupRequest, backup } from './backup.ts';
import { type Problem, stateOf } from './outcome.ts';
import { type ReadBackRequest, readBack } from './read-back.ts';
import { findDump } from './stored-dump.ts';

/** On a snapshot that no retention policy drops. */
const pinnedTag = 'pin';
/** On snapshots that hold facts about our own work. */
const logTag = 'holdfast-log';
const recordFolder = 'holdfast-guard';

export interface ProveRequest extends BackupRequest {
  /** What the snapshot is for, kept in it as the tag `note=…`. */
  note: string;
  /** The snapshot's name. */
  name?: string | undefined;
  /** What of a deployment must be in it. Undefined for sources that are no database. */
  choice?: DumpChoice | undefined;
  /** A snapshot of a database that is no older, and whole, does instead of a new one. */
  maxAgeMs?: number | undefined;
  onBytesReadBack?: ReadBackRequest['onBytes'];
}

export interface ProvenSnapshot {
  snapshot: StoredSnapshot;
  /** How old it was when it was accepted; undefined for one that was made now. */
  ageMs?: number;
  /** Whether its data was parsed again and compared; a source without such data has only its blobs checked. */
  isReadBack: boolean;
  /** What a deployment's dump would put back, by name; empty for other sources. */
  databases: string[];
  /** Empty: the command may run. */
  problems: Problem[];
}

/**
 * Makes sure that there is a whole, proven and pinned snapshot of a source: a fresh one, or a new one.
 * Nothing may be changed at the source unless `problems` is empty.
 */
export async function proveSnapshotBefore(request: ProveRequest): Promise<ProvenSnapshot> {
  const { repository, note, name, choice, maxAgeMs, onBytesReadBack, ...rest } = request;
  const tags = [pinnedTag, `note=${note}`];
  const prove = async (snapshot: StoredSnapshot) =>
    readBack({
      repository,
      snapshot,
      ...(request.onProblem ? { onProblem: request.onProblem } : {}),
      ...(onBytesReadBack ? { onBytes: onBytesReadBack } : {}),
      ...(request.signal ? { signal: request.signal } : {}),
    });
  const fresh = await findFresh(request);
  const proofOfFresh = fresh && (await prove(fresh.snapshot));
  // What was good when it was made and is not any more is told, and a new one is made.
  if (fresh && proofOfFresh?.state === 'succeeded') {
    const [changed] = await changeTags(repository, [fresh.snapshot], { add: tags }, rest);
    const snapshot = changed?.after ?? fresh.snapshot;
    return {
      ...(await describe(repository, snapshot, rest.signal)),
      ageMs: fresh.ageMs,
      isReadBack: true,
      problems: [],
    };
  }
  const made = await backup({
    ...rest,
    repository,
    tags: [...(name === undefined ? [] : [`name=${name}`]), ...(rest.tags ?? []), ...tags],
  });
  const snapshot = made.snapshot!;
  const proof = await prove(snapshot);
  return {
    ...(await describe(repository, snapshot, rest.signal)),
    isReadBack: proof !== undefined,
    problems: [...made.problems, ...(proof?.problems ?? [])],
  };
}

async function describe(
  repository: Repository,
  snapshot: StoredSnapshot,
  signal: AbortSignal | undefined,
): Promise<Pick<ProvenSnapshot, 'snapshot' | 'databases'>> {
  await using lock = await repository.lock({ exclusive: false, signal });
  const dump = await findDump(repository, snapshot, lock.signal);
  const databases = new Set(dump?.manifest.collections.map(({ database }) => database));
  for (const ofTheSystem of ['admin', 'config', 'local']) databases.delete(ofTheSystem);
  return { snapshot, databases: [...databases] };
}

/** The newest snapshot of this source from this host that is young enough, was whole, and holds what is wanted. */
async function findFresh({ repository, source, name, choice, maxAgeMs, signal }: ProveRequest) {
  if (!choice || maxAgeMs === undefined) return undefined;
  await using lock = await repository.lock({ exclusive: false, signal });
  const { hostname } = repository.owner;
  const wanted = new Set(source.paths);
  const candidates = (await repository.snapshots({ signal: lock.signal })).filter(
    (one) =>
      one.hostname === hostname &&
      one.paths.length === wanted.size &&
      one.paths.every((path) => wanted.has(path)) &&
      (name === undefined || one.tags.includes(`name=${name}`)),
  );
  for (const snapshot of candidates.sort((one, other) => Number(other.timeNs - one.timeNs))) {
    const manifest = (await findDump(repository, snapshot, lock.signal))?.manifest;
    if (!manifest?.choice || manifest.problems.length > 0 || !coversChoice(manifest.choice, choice)) continue;
    // What was read first may be that old.
    const ageMs = repository.clock.nowMs() - Date.parse(manifest.startedAt);
    if (ageMs >= 0 && ageMs <= maxAgeMs) return { snapshot, ageMs };
  }
  return undefined;
}

/** What became of a command that a snapshot was made for. */
export interface CommandRecord {
  command: readonly string[];
  snapshot: SnapshotId;
  startedAt: Date;
  endedAt: Date;
  /** Undefined when a signal ended it. */
  exitCode?: number;
  endedBy?: string;
  /** The last part of what it wrote, and how much that was in all. */
  output: Uint8Array;
  outputBytes: number;
}

/** Keeps a record of a guarded command in the repository: a small snapshot of its own, which `latest` never means. */
export async function recordCommand(
  repository: Repository,
  record: CommandRecord,
  { programVersion }: { programVersion: string },
): Promise<StoredSnapshot | undefined> {
  const { output, startedAt, endedAt, ...facts } = record;
  const text = `${JSON.stringify(
    {
      format: 'holdfast-guard',
      version: 1,
      ...facts,
      startedAt: startedAt.toISOString(),
      endedAt: endedAt.toISOString(),
      outputKeptBytes: output.length,
    },
    undefined,
    1,
  )}\n`;
  const source = streamFolder({
    name: recordFolder,
    modifiedAt: endedAt,
    files: [
      { name: 'guard.json', bytes: Buffer.from(text) },
      { name: 'output.log', bytes: output },
    ],
  });
  const tags = [logTag, 'guard', `snapshot=${record.snapshot.slice(0, 8)}`];
  const { snapshot, problems } = await backup({ repository, source, tags, programVersion, parent: 'none' });
  return stateOf(problems) === 'succeeded' ? snapshot : undefined;
}
