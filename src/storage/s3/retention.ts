import {
  DeleteObjectCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  type ObjectLockRetentionMode,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { StorageError } from '../errors.ts';
import type { ExtendOptions, LockMode, ReadOptions, Retention } from '../storage.ts';
import type { Connection } from './connection.ts';
import type { Keys } from './keys.ts';
import { s3CodeOf } from './s3-error.ts';

const modes = { governance: 'GOVERNANCE', compliance: 'COMPLIANCE' } as const;

interface Lock {
  mode: ObjectLockRetentionMode;
  until: Date;
}

/** Object lock of single versions, always of the current one. */
export class S3Retention implements Retention {
  readonly #connection: Connection;
  readonly #keys: Keys;
  readonly #newMode: ObjectLockRetentionMode;

  /** @param mode of locks on files that have none yet; what is locked keeps its mode */
  constructor(connection: Connection, keys: Keys, mode: LockMode | undefined) {
    this.#connection = connection;
    this.#keys = keys;
    this.#newMode = modes[mode ?? 'governance'];
  }

  async extend(name: string, until: Date, { signal, mode }: ExtendOptions = {}): Promise<void> {
    const key = this.#keys.keyOf(name);
    const lock = await this.#lockOf(name, key, signal);
    if (lock && lock.until >= until) return;
    const input = {
      Bucket: this.#connection.bucket,
      Key: key,
      Retention: { Mode: lock?.mode ?? (mode ? modes[mode] : this.#newMode), RetainUntilDate: until },
    };
    try {
      await this.#connection.ask(
        { action: `lock ${name}`, right: 's3:PutObjectRetention' },
        (client, options) => client.send(new PutObjectRetentionCommand(input), options),
        signal,
      );
    } catch (error) {
      // Somebody else may have set a later date since we looked; the server then refuses to shorten it.
      const now = await this.#lockOf(name, key, signal);
      if (!now || now.until < until) throw error;
    }
  }

  async retainedUntil(name: string, { signal }: ReadOptions = {}): Promise<Date | undefined> {
    return (await this.#lockOf(name, this.#keys.keyOf(name), signal))?.until;
  }

  async hide(name: string, { signal }: ReadOptions = {}): Promise<void> {
    const input = { Bucket: this.#connection.bucket, Key: this.#keys.keyOf(name) };
    await this.#connection.ask(
      { action: `hide ${name}`, right: 's3:DeleteObject' },
      (client, options) => client.send(new DeleteObjectCommand(input), options),
      signal,
    );
  }

  async deleteLocked(name: string, { signal }: ReadOptions = {}): Promise<void> {
    const address = { Bucket: this.#connection.bucket, Key: this.#keys.keyOf(name) };
    const { VersionId } = await this.#connection.ask(
      { action: `look at ${name}`, right: 's3:GetObject' },
      (client, options) => client.send(new HeadObjectCommand(address), options),
      signal,
    );
    const input = { ...address, VersionId, BypassGovernanceRetention: true };
    await this.#connection.ask(
      { action: `lift the lock of ${name}`, right: 's3:BypassGovernanceRetention' },
      (client, options) => client.send(new DeleteObjectCommand(input), options),
      signal,
    );
  }

  async resetDefault({ signal }: ReadOptions = {}): Promise<void> {
    const bucket = { Bucket: this.#connection.bucket };
    const { ObjectLockConfiguration } = await this.#connection.ask(
      { action: 'look at the lock of the bucket', right: 's3:GetBucketObjectLockConfiguration' },
      (client, options) => client.send(new GetObjectLockConfigurationCommand(bucket), options),
      signal,
    );
    await this.#connection.ask(
      { action: 'change the lock of the bucket', right: 's3:PutBucketObjectLockConfiguration' },
      (client, options) =>
        client.send(new PutObjectLockConfigurationCommand({ ...bucket, ObjectLockConfiguration }), options),
      signal,
    );
  }

  async #lockOf(name: string, key: string, signal: AbortSignal | undefined): Promise<Lock | undefined> {
    const input = { Bucket: this.#connection.bucket, Key: key };
    try {
      const { Retention: found } = await this.#connection.ask(
        { action: `look at the lock of ${name}`, right: 's3:GetObjectRetention' },
        (client, options) => client.send(new GetObjectRetentionCommand(input), options),
        signal,
      );
      return lockFrom(found?.Mode, found?.RetainUntilDate);
    } catch (error) {
      if (s3CodeOf(error) === 'NoSuchObjectLockConfiguration') return undefined;
      // moto answers this call with XML that the SDK cannot read.
      if (error instanceof StorageError) throw error;
    }
    const head = await this.#connection.ask(
      { action: `look at ${name}`, right: 's3:GetObject' },
      (client, options) => client.send(new HeadObjectCommand(input), options),
      signal,
    );
    return lockFrom(head.ObjectLockMode, head.ObjectLockRetainUntilDate);
  }
}

function lockFrom(mode: string | undefined, until: Date | undefined): Lock | undefined {
  return until && { mode: mode === 'COMPLIANCE' ? 'COMPLIANCE' : 'GOVERNANCE', until };
}
