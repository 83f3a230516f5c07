import { posix } from 'node:path';
import type { Stats } from 'ssh2';
import { type Clock, systemClock } from '#base';
import { abortable, orAborted } from '../abort.ts';
import { watched } from '../content.ts';
import { StorageError } from '../errors.ts';
import { assertName, assertPrefix } from '../names.ts';
import type {
  ByteRange,
  Content,
  FileInfo,
  ReadOptions,
  Space,
  Storage,
  UnfinishedOptions,
  WriteOptions,
} from '../storage.ts';
import { isTemporary, temporaryPath } from '../temporary.ts';
import { Connection } from './connection.ts';
import { statOrUndefined } from './folders.ts';
import type { SftpOptions } from './options.ts';
import { assertFree, publish, publishNew, remove } from './publish.ts';
import { readFile } from './read-file.ts';
import type { SftpPlace } from './route.ts';
import type { Session } from './session.ts';
import { hasStatus, status, storageErrorOf } from './sftp-error.ts';
import { findingOf, spaceOf } from './space.ts';
import { walk } from './walk.ts';
import { type Modes, writeNewFile } from './write-file.ts';

const ownerOnly: Modes = { folder: 0o700, file: 0o600 };
const withGroup: Modes = { folder: 0o770, file: 0o660 };

/** How long an aborted write waits for its temporary file to be gone. */
const cleaningMsMax = 2000;

/** A folder at a server with SSH, laid out and written as restic does it. Only the subsystem `sftp` is used, never a shell. */
export class SftpStorage implements Storage {
  readonly location: string;
  readonly capabilities = { conditionalCreate: true, atomicWrite: true, concurrency: 8 };
  readonly #root: string;
  readonly #connection: Connection;
  readonly #clock: Clock;
  #modes: Modes | undefined;

  constructor(place: SftpPlace, location: string, options: SftpOptions = {}, clock: Clock = systemClock) {
    this.location = location;
    this.#root = place.path.replace(/(?<=.)\/+$/, '');
    this.#connection = new Connection(place, options, clock);
    this.#clock = clock;
  }

  async *read(name: string, range?: ByteRange, { signal }: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const path = this.#pathOf(name);
    const session = await this.#connection.session(signal);
    try {
      yield* readFile(session, path, { name, range, signal });
    } catch (error) {
      throw this.#asStorageError(error, `read ${name}`);
    }
  }

  async write(name: string, content: Content, options: WriteOptions = {}): Promise<void> {
    const path = this.#pathOf(name);
    const session = await this.#connection.session(options.signal);
    const watch = watched(content);
    const temporary = temporaryPath(path);
    const { ifAbsent, signal } = options;
    const rename = ifAbsent ? publishNew : publish;
    try {
      if (ifAbsent) await orAborted(assertFree(session, path), signal);
      const modes = await orAborted(this.#modesOf(session), signal);
      await writeNewFile(session, temporary, watch.content, { modes, signal });
      await orAborted(rename(session, temporary, path), signal);
    } catch (error) {
      // Asked before the temporary file makes room.
      const isOfStorage = error !== watch.failure;
      const reason = isOfStorage ? await this.#withReason(error, session, `write ${name}`) : error;
      await this.#discard(session, temporary);
      throw reason;
    }
  }

  async stat(name: string, { signal }: ReadOptions = {}): Promise<FileInfo | undefined> {
    const path = this.#pathOf(name);
    const session = await this.#connection.session(signal);
    try {
      const stats = await orAborted(statOrUndefined(session, path), signal);
      return stats?.isFile() ? infoOf(name, stats) : undefined;
    } catch (error) {
      throw this.#asStorageError(error, `look at ${name}`);
    }
  }

  async *list(prefix: string, { signal }: ReadOptions = {}): AsyncGenerator<FileInfo> {
    assertPrefix(prefix);
    const session = await this.#connection.session(signal);
    try {
      for await (const { name, stats } of abortable(this.#walk(session, prefix), signal))
        if (!isTemporary(name)) yield infoOf(name, stats);
    } catch (error) {
      throw this.#asStorageError(error, `list ${prefix}`);
    }
  }

  async delete(name: string, { signal }: ReadOptions = {}): Promise<void> {
    const path = this.#pathOf(name);
    const session = await this.#connection.session(signal);
    try {
      await orAborted(remove(session, path), signal);
    } catch (error) {
      if (hasStatus(error, status.noSuchFile)) return;
      // A folder is no file of ours, and refused without a reason.
      const isMissing = hasStatus(error, status.failure, status.permissionDenied) && !(await this.stat(name));
      if (!isMissing) throw await this.#withReason(error, session, `delete ${name}`);
    }
  }

  async space({ signal }: ReadOptions = {}): Promise<Space | undefined> {
    const session = await this.#connection.session(signal);
    try {
      return await orAborted(spaceOf(session, this.#root), signal);
    } catch (error) {
      throw this.#asStorageError(error, 'ask for the free room');
    }
  }

  async removeUnfinished(before: Date, { prefix = '', signal }: UnfinishedOptions = {}): Promise<number> {
    const session = await this.#connection.session(signal);
    let count = 0;
    try {
      for await (const { name, stats } of abortable(this.#walk(session, prefix), signal)) {
        if (!isTemporary(name) || stats.mtime * 1000 >= before.getTime()) continue;
        await remove(session, this.#join(name));
        count++;
      }
    } catch (error) {
      throw this.#asStorageError(error, 'remove unfinished files');
    }
    return count;
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #walk(session: Session, prefix: string) {
    return walk(session, (name) => this.#join(name), prefix);
  }

  #pathOf(name: string): string {
    assertName(name);
    if (isTemporary(name)) {
      throw new StorageError('storage.name', `${name} looks like an unfinished file`, {
        hint: 'Names that end in "-tmp-" and 16 hexadecimal digits are kept for files that are being written.',
      });
    }
    return this.#join(name);
  }

  #join(name: string): string {
    return posix.join(this.#root, name);
  }

  /** What the group may read is told by the file `config`, as in restic; until it exists, nothing. */
  async #modesOf(session: Session): Promise<Modes> {
    if (this.#modes) return this.#modes;
    const config = await statOrUndefined(session, this.#join('config'));
    if (!config) return ownerOnly;
    this.#modes = config.mode & 0o040 ? withGroup : ownerOnly;
    return this.#modes;
  }

  /** Removes a temporary file, if it was made and the server answers in time. The next run finds what stays. */
  async #discard(session: Session, temporary: string): Promise<void> {
    const removed = remove(session, temporary).catch(() => {});
    await Promise.race([removed, this.#clock.sleep(cleaningMsMax, { background: true })]);
  }

  /** As a StorageError that says why a change failed, as far as the server's disk shows it. */
  async #withReason(error: unknown, session: Session, action: string): Promise<unknown> {
    const finding = hasStatus(error, status.failure) ? await findingOf(session, this.#root) : undefined;
    return storageErrorOf(error, { action, place: this.location, finding });
  }

  #asStorageError(error: unknown, action: string): unknown {
    return storageErrorOf(error, { action, place: this.location });
  }
}

function infoOf(name: string, { size, mtime }: Stats): FileInfo {
  return { name, sizeBytes: size, ...(mtime && { modifiedAt: new Date(mtime * 1000) }) };
}
