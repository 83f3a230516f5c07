import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { Transaction } from 'kysely';
import { takeTurn } from '../database/lock.ts';
import type { Tables } from '../database/schema.ts';
import { CatalogError } from '../errors.ts';
import { newId } from '../new-id.ts';
import type { StoreContext } from '../records.ts';
import type { SealingKey } from './master-key.ts';

const cipher = 'aes-256-gcm';
const ivSizeBytes = 12;
const tagSizeBytes = 16;
/** The row by which the key is known, and its secret. */
const checkId = 'check';

/**
 * Secrets, sealed by the master key: AES-256-GCM, the row as associated data, so that a sealed text moved to another row
 * does not open. As text: `1.KEYID.BASE64URL(iv, ciphertext, tag)`.
 */
export class SecretStore {
  readonly #context: StoreContext;
  #keys: readonly SealingKey[];

  constructor(context: StoreContext, keys: readonly SealingKey[]) {
    this.#context = context;
    this.#keys = keys;
  }

  /**
   * Seals a secret.
   * @returns the reference to write instead of it, `sealed:ID`
   * @throws CatalogError 'catalog.master-key' when another process has rotated the key meanwhile
   */
  async add(secret: string): Promise<{ reference: string; fingerprint: string }> {
    const { db, clock, random } = this.#context;
    const id = newId(clock, random);
    const fingerprint = this.#fingerprintOf(secret);
    await db.transaction().execute(async (trx) => {
      // What is sealed with a key that was rotated away would be lost.
      await takeTurn(trx, this.#context, 'secrets');
      await this.#assertCurrent(trx);
      const row = { id, sealed: this.#seal(id, secret), fingerprint, created_at: clock.nowMs() };
      await trx.insertInto('secrets').values(row).execute();
    });
    return { reference: `sealed:${id}`, fingerprint };
  }

  /** @throws CatalogError 'catalog.absent', 'catalog.master-key' when another key sealed it, 'catalog.damaged' */
  async open(reference: string): Promise<string> {
    const id = reference.replace(/^sealed:/, '');
    const row = await this.#context.db
      .selectFrom('secrets')
      .select('sealed')
      .where('id', '=', id)
      .executeTakeFirst();
    if (row) return this.#unseal(id, row.sealed);
    throw new CatalogError('catalog.absent', `there is no sealed secret ${id}`, {
      hint: 'Give the secret again where it is used.',
    });
  }

  /** Forgets a secret that nothing names any more. Removing what is not there is no error. */
  async remove(reference: string): Promise<void> {
    const id = reference.replace(/^sealed:/, '');
    if (id !== checkId) await this.#context.db.deleteFrom('secrets').where('id', '=', id).execute();
  }

  /**
   * Makes sure that the master key is the one of this catalog, by a row that it seals from the beginning.
   * @throws CatalogError 'catalog.master-key'
   */
  async assertKeyFits(): Promise<void> {
    const { db, clock } = this.#context;
    const row = {
      id: checkId,
      sealed: this.#seal(checkId, checkId),
      fingerprint: '',
      created_at: clock.nowMs(),
    };
    await db
      .insertInto('secrets')
      .values(row)
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
    await this.open(checkId);
  }

  /**
   * Seals everything with the first of the keys; the others only open, and are not needed any more when this is done.
   * All or nothing.
   */
  async rotate(keys: readonly SealingKey[]): Promise<void> {
    this.#keys = keys;
    await this.#context.db.transaction().execute(async (trx) => {
      await takeTurn(trx, this.#context, 'secrets');
      for (const { id, sealed } of await trx.selectFrom('secrets').select(['id', 'sealed']).execute()) {
        const secret = this.#unseal(id, sealed);
        const again = { sealed: this.#seal(id, secret), fingerprint: this.#fingerprintOf(secret) };
        await trx.updateTable('secrets').set(again).where('id', '=', id).execute();
      }
    });
  }

  async #assertCurrent(trx: Transaction<Tables>): Promise<void> {
    const { sealed } = await trx
      .selectFrom('secrets')
      .select('sealed')
      .where('id', '=', checkId)
      .executeTakeFirstOrThrow();
    const [, keyId] = sealed.split('.');
    if (keyId !== this.#keys[0]!.id) throw foreignKey(keyId);
  }

  #seal(id: string, secret: string): string {
    const { id: keyId, key } = this.#keys[0]!;
    const iv = this.#context.random.fill(new Uint8Array(ivSizeBytes));
    const sealing = createCipheriv(cipher, key, iv).setAAD(associatedData(id));
    const text = Buffer.concat([iv, sealing.update(secret, 'utf8'), sealing.final(), sealing.getAuthTag()]);
    return `1.${keyId}.${text.toString('base64url')}`;
  }

  #unseal(id: string, sealed: string): string {
    const [version, keyId, text] = sealed.split('.');
    const key = this.#keys.find((each) => each.id === keyId)?.key;
    if (version !== '1' || text === undefined) throw damaged(id);
    if (!key) throw foreignKey(keyId);
    const bytes = Buffer.from(text, 'base64url');
    const opening = createDecipheriv(cipher, key, bytes.subarray(0, ivSizeBytes), {
      authTagLength: tagSizeBytes,
    });
    opening.setAAD(associatedData(id)).setAuthTag(bytes.subarray(-tagSizeBytes));
    try {
      return (
        opening.update(bytes.subarray(ivSizeBytes, -tagSizeBytes), undefined, 'utf8') + opening.final('utf8')
      );
    } catch {
      throw damaged(id);
    }
  }

  /** To recognise a secret, not to guess it: keyed, and eight digits only. */
  #fingerprintOf(secret: string): string {
    return createHmac('sha256', this.#keys[0]!.key).update(secret).digest('hex').slice(0, 8);
  }
}

function associatedData(id: string): Buffer {
  return Buffer.from(`secrets/sealed/${id}`);
}

function foreignKey(keyId: string | undefined): CatalogError {
  return new CatalogError(
    'catalog.master-key',
    `the master key is not the one (${keyId}) that seals the secrets of this catalog`,
    { hint: 'Put the master key of the newest recovery kit into its file, then start again.' },
  );
}

function damaged(id: string): CatalogError {
  return new CatalogError('catalog.damaged', `the sealed secret ${id} does not open`, {
    hint: 'Give the secret again where it is used, or restore the catalog from a self backup.',
  });
}
