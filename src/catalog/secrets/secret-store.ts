import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { CatalogError } from '../errors.ts';
import { newId } from '../new-id.ts';
import type { StoreContext } from '../records.ts';
import type { SealingKey } from './master-key.ts';

const cipher = 'aes-256-gcm';
const ivSizeBytes = 12;
const tagSizeBytes = 16;

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

  /** Seals a secret. @returns the reference to write instead of it, `sealed:ID` */
  async add(secret: string): Promise<{ reference: string; fingerprint: string }> {
    const { db, clock, random } = this.#context;
    const id = newId(clock, random);
    const fingerprint = this.#fingerprintOf(secret);
    const sealed = this.#seal(id, secret);
    await db.insertInto('secrets').values({ id, sealed, fingerprint, created_at: clock.nowMs() }).execute();
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

  /** Whether the master key is the one that sealed what is there. @throws CatalogError 'catalog.master-key' */
  async assertKeyFits(): Promise<void> {
    const row = await this.#context.db
      .selectFrom('secrets')
      .select(['id', 'sealed'])
      .limit(1)
      .executeTakeFirst();
    if (row) this.#unseal(row.id, row.sealed);
  }

  /** Seals everything with the first of the keys, which stay known until that is done. */
  async rotate(keys: readonly SealingKey[]): Promise<void> {
    this.#keys = keys;
    await this.#context.db.transaction().execute(async (trx) => {
      for (const { id, sealed } of await trx.selectFrom('secrets').select(['id', 'sealed']).execute()) {
        const again = this.#seal(id, this.#unseal(id, sealed));
        await trx.updateTable('secrets').set({ sealed: again }).where('id', '=', id).execute();
      }
    });
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
    if (!key)
      throw new CatalogError(
        'catalog.master-key',
        `the master key is not the one (${keyId}) that sealed the secrets`,
        {
          hint: 'Put the master key of the recovery kit into its file, then start again.',
        },
      );
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

  /** To recognise a secret, not to guess it: hashed with the key, eight digits. */
  #fingerprintOf(secret: string): string {
    return createHash('sha256').update(this.#keys.at(-1)!.key).update(secret).digest('hex').slice(0, 8);
  }
}

function associatedData(id: string): Buffer {
  return Buffer.from(`secrets/sealed/${id}`);
}

function damaged(id: string): CatalogError {
  return new CatalogError('catalog.damaged', `the sealed secret ${id} does not open`, {
    hint: 'Give the secret again where it is used, or restore the catalog from a self backup.',
  });
}
