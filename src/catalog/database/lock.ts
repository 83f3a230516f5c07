import { sql, type Transaction } from 'kysely';
import type { StoreContext } from '../records.ts';
import type { Tables } from './schema.ts';

/** Work that only one transaction does at a time, over all processes. */
const numbers = { dispatch: 1, users: 2, audit: 3, evidence: 4, secrets: 5 } as const;
/** Tells our locks from those of others in one database. */
const ours = 0x686f6c64;

/** Waits for its turn, which ends with the transaction. In SQLite every transaction that writes has the file alone. */
export async function takeTurn(
  trx: Transaction<Tables>,
  { kind }: Pick<StoreContext, 'kind'>,
  work: keyof typeof numbers,
): Promise<void> {
  if (kind === 'postgres')
    await sql`SELECT pg_advisory_xact_lock(${ours}::int, ${numbers[work]}::int)`.execute(trx);
}
