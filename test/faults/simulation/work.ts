import {
  addKey,
  changePassword,
  changeTags,
  checkRepository,
  copySnapshots,
  forgetSnapshots,
  type PruneOptions,
  pruneRepository,
  type Repository,
  removeKey,
  removeStaleLocks,
  repairIndex,
  writeSnapshot,
} from '#repository';
import { differences, writeFiles } from './files.ts';
import type { SimulatedProcess } from './process.ts';
import type { Place } from './world.ts';

/** Something that was promised and did not hold, found by a client at its work. */
export class BrokenPromise extends Error {}

export interface Opened {
  place: Place;
  repository: Repository;
}

/** A piece of work of one process. It may reject: what it was told counts, not that it succeeds. */
export type Work = (process: SimulatedProcess, opened: Opened) => Promise<void>;

export const cheapKdf = { N: 16, r: 1, p: 1 };

export async function backup(process: SimulatedProcess, { place, repository }: Opened): Promise<void> {
  const { world, random } = process;
  const source = random.below(world.sources.length);
  const meant = place.ledger.begin(place.name, world.touchSource(source, random));
  process.making = [meant];
  try {
    const { problems } = await writeSnapshot(
      repository,
      {
        paths: [`/source${source}`],
        tags: [meant.mark],
        hostname: 'source-host',
        packSizeBytes: world.packSizeBytes,
        parent: random.below(4) === 0 ? 'none' : 'auto',
      },
      (writer) => writeFiles(writer, meant.files, world.contents),
    );
    // A parent that a stale index does not know is told as odd: its files are read again.
    const lost = problems.find(({ gravity }) => gravity === 'lost');
    if (lost) throw new BrokenPromise(`a backup lost ${lost.path}`);
    meant.state = 'reported';
    world.note(`${process.name} reports ${meant.mark}`);
  } finally {
    process.making = [];
  }
}

async function restore(process: SimulatedProcess, { place, repository }: Opened): Promise<void> {
  const { world, random } = process;
  await using _lock = await repository.lock({ exclusive: false });
  const snapshots = await repository.snapshots();
  if (snapshots.length === 0) return;
  const snapshot = snapshots[random.below(snapshots.length)]!;
  const meant = place.ledger.of(snapshot);
  const wrong = await differences(repository, [{ snapshot, files: meant.files }], world.contents);
  if (wrong.length > 0) throw new BrokenPromise(`a restore of ${meant.mark}: ${wrong.join(', ')}`);
}

async function check({ random }: SimulatedProcess, { repository }: Opened): Promise<void> {
  await checkRepository(repository, { readData: random.below(2) === 0 ? 'all' : 'none' });
}

export async function unlock(_process: SimulatedProcess, { repository }: Opened): Promise<void> {
  await removeStaleLocks(repository);
}

async function tag({ random }: SimulatedProcess, { place, repository }: Opened): Promise<void> {
  const snapshots = await repository.snapshots();
  const chosen = snapshots.filter(() => random.below(2) === 0);
  const name = `tag${random.below(3)}`;
  const change = random.below(2) === 0 ? { add: [name] } : { remove: [name] };
  for (const { before, after } of await changeTags(repository, chosen, change)) {
    if (place.ledger.of(before) !== place.ledger.of(after))
      throw new BrokenPromise('a tag change lost a tag');
  }
}

async function forget({ random }: SimulatedProcess, { place, repository }: Opened): Promise<void> {
  await forgetSnapshots(repository, (snapshots) => {
    const chosen = snapshots.slice(0, -1).filter(() => random.below(2) === 0);
    for (const snapshot of chosen) place.ledger.of(snapshot).state = 'given up';
    return chosen.map(({ id }) => id);
  });
}

export async function prune({ world, random }: SimulatedProcess, { repository }: Opened): Promise<void> {
  const maxUnused = ([{ percent: 0 }, { percent: 20 }, 'unlimited'] as const)[random.below(3)]!;
  const isAtOnce = world.keepsPromptly && random.below(2) === 0;
  await pruneRepository(repository, {
    ...pruneOptions(world.packSizeBytes),
    maxUnused,
    graceMs: isAtOnce ? 0 : world.graceMs,
  });
}

function pruneOptions(packSizeBytes: number): PruneOptions {
  return { packSizeBytes, repackSmallerThanBytes: packSizeBytes / 2 };
}

/** Copies from one place to the other. */
async function copy(process: SimulatedProcess, opened: Opened): Promise<void> {
  const { world, random } = process;
  const place = opened.place === world.main ? world.mirror : world.main;
  const { keys } = place.ledger;
  const to = await process.open(place, keys[random.below(keys.length)]!.passwords[0]!);
  const snapshots = (await opened.repository.snapshots()).filter(() => random.below(2) === 0);
  const meants = snapshots.map((snapshot) => place.ledger.beginCopy(opened.place.ledger.of(snapshot)));
  process.making = meants;
  try {
    await copySnapshots(opened.repository, to, {
      snapshots,
      packSizeBytes: world.packSizeBytes,
      onCopied: ({ copy }) => {
        const meant = place.ledger.of(copy);
        meant.state = 'reported';
        world.note(`${process.name} reports ${meant.mark} copied to ${place.name}`);
      },
    });
  } finally {
    process.making = [];
  }
}

async function repair({ random }: SimulatedProcess, { repository }: Opened): Promise<void> {
  await repairIndex(repository, { readAllPacks: random.below(2) === 0 });
}

async function addPassword({ world, name }: SimulatedProcess, { place, repository }: Opened): Promise<void> {
  const password = `password of ${name} at ${world.timeline.nowMs}`;
  const id = await addKey(repository, { password, kdf: cheapKdf });
  place.ledger.keys.push({ id, passwords: [password] });
}

async function removePassword({ random }: SimulatedProcess, { place, repository }: Opened): Promise<void> {
  const { ledger } = place;
  const others = ledger.keys.filter(({ id }) => id !== repository.key.id);
  // Three clients may do the same at this moment.
  if (others.length < 3) return;
  const { id } = others[random.below(others.length)]!;
  ledger.keys = ledger.keys.filter((key) => key.id !== id);
  await removeKey(repository, id);
}

async function changeKey({ world, name }: SimulatedProcess, { place, repository }: Opened): Promise<void> {
  const key = place.ledger.keys.find(({ id }) => id === repository.key.id);
  if (!key) return;
  const password = `changed by ${name} at ${world.timeline.nowMs}`;
  key.passwords.push(password);
  key.id = await changePassword(repository, { password, kdf: cheapKdf });
  key.passwords = [password];
}

/** What there is to do, and how often it is chosen. */
export const works: Record<string, { work: Work; weight: number }> = {
  backup: { work: backup, weight: 10 },
  restore: { work: restore, weight: 3 },
  check: { work: check, weight: 2 },
  forget: { work: forget, weight: 4 },
  prune: { work: prune, weight: 8 },
  copy: { work: copy, weight: 3 },
  unlock: { work: unlock, weight: 3 },
  tag: { work: tag, weight: 2 },
  'repair index': { work: repair, weight: 2 },
  'add key': { work: addPassword, weight: 2 },
  'remove key': { work: removePassword, weight: 2 },
  'change key': { work: changeKey, weight: 2 },
};
