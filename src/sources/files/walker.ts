import { type FileAttributes, messageOf, type Place, type Posix, systemCodeOf } from '#base';
import type { EntryContent, SourceEvent, SourceProblem } from '../source.ts';
import { deepFileContent } from './deep-file.ts';
import type { ExcludeRules } from './exclude-rules.ts';
import { FolderHandles } from './folder-handles.ts';
import { type ByteText, fromByteText, toPrintable } from './names.ts';
import { type StartNode, startsBelow } from './start-paths.ts';

/** Linux PATH_MAX with the final NUL: a longer path cannot be opened in one call. */
const pathSizeMax = 4096;
const thisFolder = Buffer.from('.');

export interface WalkOptions {
  starts: StartNode;
  rules: ExcludeRules;
  oneFileSystem: boolean;
  /** Without link targets and extended attributes, for an estimate. */
  sizesOnly: boolean;
}

/** A folder that is being walked. */
interface Frame {
  /** Names from the root, joined by `/`; '' is the root. */
  path: ByteText;
  names: readonly Uint8Array[];
  /** What is visited, in order, and how far that has come. */
  below: readonly ByteText[];
  next: number;
  /** The device to stay on where all is read; undefined where we only pass through to a start. */
  deviceId: bigint | undefined;
  start: StartNode | undefined;
}

/** One name that is being visited. */
interface Visit {
  frame: Frame;
  place: Place;
  path: ByteText;
  names: readonly Uint8Array[];
  start: StartNode | undefined;
}

/**
 * Walks the starts depth first, one name with each `step`, the names of a folder in the order of their bytes.
 * Synchronous, so that a small file costs a few system calls and no turn of the event loop.
 */
export class Walker {
  readonly #posix: Posix;
  readonly #options: WalkOptions;
  readonly #rules: ExcludeRules;
  readonly #folders: FolderHandles;
  readonly #upperFolders = new Set<ByteText>();
  readonly #frames: Frame[] = [];
  #events: SourceEvent[] = [];

  constructor(posix: Posix, options: WalkOptions) {
    this.#posix = posix;
    this.#options = options;
    this.#rules = options.rules;
    // Upper folders may be links (/home → /data/home) and need not be readable; below a start nothing is followed.
    const how = (path: ByteText) => (this.#upperFolders.has(path) ? { follow: true, searchOnly: true } : {});
    this.#folders = new FolderHandles(posix, posix.openFolder('/'), how);
    const root = { path: '', names: [], start: options.starts };
    this.#push(root, options.starts.isStart ? this.#posix.stat(this.#folders.open(''))!.deviceId : undefined);
  }

  get isDone(): boolean {
    return this.#frames.length === 0;
  }

  /** Visits the next name and returns what there is to tell. */
  step(): readonly SourceEvent[] {
    const frame = this.#frames.at(-1)!;
    const name = frame.below[frame.next++];
    if (name === undefined) this.#leave(frame);
    else this.#visit(frame, name);
    const events = this.#events;
    if (events.length) this.#events = [];
    return events;
  }

  close(): void {
    this.#folders.close();
  }

  #leave(frame: Frame): void {
    this.#frames.pop();
    if (frame.path === '') return;
    this.#rules.leave();
    this.#events.push({ kind: 'leave', path: frame.names });
  }

  #visit(frame: Frame, name: ByteText): void {
    const path = frame.path === '' ? name : `${frame.path}/${name}`;
    const depth = this.#frames.length;
    this.#rules.enter(name);
    try {
      const bytes = fromByteText(name);
      const place = { folder: this.#folders.open(frame.path), name: bytes };
      const start = frame.start?.below.get(name);
      this.#look({ frame, place, path, names: [...frame.names, bytes], start });
    } catch (error) {
      this.#problem(path, error as Error, gravityOf(error));
    }
    if (this.#frames.length === depth) this.#rules.leave();
  }

  /** Decides what becomes of a name: told, entered, or left out. */
  #look(visit: Visit): void {
    const { frame, start } = visit;
    const isPassing = frame.deviceId === undefined;
    if (isPassing && !start?.isStart) {
      this.#enterUpperFolder(visit);
      return;
    }
    const isExcluded = this.#rules.isPathExcluded();
    if (isExcluded && !start) return;
    const attributes = this.#posix.stat(visit.place);
    if (!attributes) this.#tellAbsent(visit);
    // A path that was asked for by name is not subject to ignore files.
    else if (
      isExcluded ||
      this.#rules.isTooLarge(attributes) ||
      (!start && this.#rules.isIgnored(attributes))
    )
      this.#leaveOut(visit, attributes);
    else this.#take(visit, attributes);
  }

  #take(visit: Visit, attributes: FileAttributes): void {
    const { frame, start } = visit;
    const deviceId = frame.deviceId === undefined || start?.isStart ? attributes.deviceId : frame.deviceId;
    const isForeign = this.#options.oneFileSystem && attributes.deviceId !== deviceId;
    if (attributes.type === 'dir') this.#enterFolder(visit, attributes, isForeign ? undefined : deviceId);
    else if (!isForeign) this.#tellFile(visit, attributes);
  }

  #tellFile(visit: Visit, attributes: FileAttributes): void {
    if (visit.start?.below.size)
      this.#tellUnreachable(visit, 'lies behind a file or link that is saved itself');
    if (attributes.type === 'socket') return;
    this.#complete(visit, attributes);
    const entry = { kind: 'entry', path: visit.names, attributes } as const;
    this.#events.push(
      attributes.type === 'file' ? { ...entry, content: this.#contentOf(visit.path) } : entry,
    );
  }

  #contentOf(path: ByteText): EntryContent {
    if (path.length + 2 <= pathSizeMax) return { localPath: fromByteText(`/${path}`) };
    return deepFileContent(this.#posix, path, this.#upperFolders);
  }

  /** @param deviceId undefined: its content stays out, but for starts below */
  #enterFolder(visit: Visit, attributes: FileAttributes, deviceId: bigint | undefined): void {
    this.#complete(visit, attributes);
    this.#events.push({ kind: 'entry', path: visit.names, attributes });
    this.#push(visit, deviceId);
  }

  /** A folder on the way to a start: told, but of what is in it only the way. */
  #enterUpperFolder(visit: Visit): void {
    this.#upperFolders.add(visit.path);
    let folder: number;
    try {
      folder = this.#folders.open(visit.path);
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT') this.#tellAbsent(visit);
      else this.#tellUnreachable(visit, messageOf(error));
      return;
    }
    const attributes = this.#posix.stat(folder)!;
    this.#complete({ path: visit.path, place: { folder, name: thisFolder } }, attributes);
    this.#events.push({ kind: 'entry', path: visit.names, attributes });
    this.#push(visit, undefined);
  }

  #push({ path, names, start }: Omit<Visit, 'frame' | 'place'>, deviceId: bigint | undefined): void {
    let below = start ? [...start.below.keys()] : [];
    if (deviceId !== undefined) {
      try {
        const folder = this.#folders.open(path);
        const listed = this.#rules.readFolder(folder, this.#posix.listNames(folder));
        below = below.length ? [...new Set([...listed, ...below])] : listed;
      } catch (error) {
        this.#problem(path, error as Error, start?.isStart ? 'lost' : gravityOf(error));
      }
    }
    this.#frames.push({ path, names, below: below.sort(), next: 0, deviceId, start });
  }

  /** Adds what stat does not say. What cannot be read is named; the rest is saved. */
  #complete({ path, place }: Pick<Visit, 'path' | 'place'>, attributes: FileAttributes): void {
    if (this.#options.sizesOnly) return;
    if (attributes.type === 'symlink') attributes.linkTarget = this.#posix.readLink(place);
    try {
      const extended = this.#posix.readXattrs(place);
      if (extended.length) attributes.extendedAttributes = extended;
    } catch (error) {
      this.#problem(path, error as Error, 'odd');
    }
  }

  /** An excluded path: silent, unless it was asked for; starts below it are still reached. */
  #leaveOut(visit: Visit, attributes: FileAttributes): void {
    if (visit.start?.isStart)
      this.#problem(visit.path, new Error('is excluded although it was asked for'), 'odd');
    if (!visit.start?.below.size) return;
    if (attributes.type === 'dir') this.#enterFolder(visit, attributes, undefined);
    else this.#tellUnreachable(visit, 'lies behind a file or link that is excluded');
  }

  #tellAbsent(visit: Visit): void {
    if (visit.start) this.#tellUnreachable(visit, 'does not exist', { withItself: true });
    else this.#problem(visit.path, new Error('vanished while its folder was read'), 'odd');
  }

  #tellUnreachable({ start, path }: Visit, why: string, what = { withItself: false }): void {
    for (const lost of startsBelow(start!, path))
      if (what.withItself || lost !== path) this.#problem(lost, new Error(why), 'lost');
  }

  #problem(path: ByteText, error: Error, gravity: SourceProblem['gravity']): void {
    this.#events.push({ kind: 'problem', problem: { path: toPrintable(`/${path}`), error, gravity } });
  }
}

/** What vanished since its folder was read was removed by its owner, and is no loss. */
function gravityOf(error: unknown): SourceProblem['gravity'] {
  return systemCodeOf(error) === 'ENOENT' ? 'odd' : 'lost';
}
