import { messageOf } from '#base';
import { CatalogError } from '../errors.ts';

/** Primary result codes (sqlite.org/rescode.html): busy, locked, read-only, I/O, full, cannot open. */
const sqliteUnreachable = [5, 6, 8, 10, 13, 14];
/** Corrupt, not a database. */
const sqliteDamaged = [11, 26];
/** Classes and codes of PostgreSQL (Appendix A) that another try may not meet, and what its driver and Node say. */
const serverUnreachable =
  /^(08|53|57P|58|40001|40P01|55P03|25006|CONNECT|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN)/;
/** Of pg, which gives some of its own errors no code. */
const connectionLost =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered)/;
const serverDamaged = /^XX00[12]$/;

/** What a database says of itself, as an error of ours that tells whether a retry helps; anything else as it is. */
export function catalogErrorOf(error: unknown): unknown {
  const kind = kindOf(error);
  if (kind === 'unreachable')
    return new CatalogError(
      'catalog.unreachable',
      `the catalog's database does not do it: ${messageOf(error)}`,
      {
        hint: 'Check that it runs, that its disk has room, and that nobody else holds it.',
        cause: error,
      },
    );
  if (kind === 'damaged')
    return new CatalogError('catalog.damaged', `the catalog's database is damaged: ${messageOf(error)}`, {
      hint: 'Restore the catalog from a self backup, or rebuild it from the repositories.',
      cause: error,
    });
  return error;
}

function kindOf(error: unknown): 'unreachable' | 'damaged' | undefined {
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === 'number') {
    if (sqliteUnreachable.includes(errcode & 0xff)) return 'unreachable';
    return sqliteDamaged.includes(errcode & 0xff) ? 'damaged' : undefined;
  }
  if (typeof code !== 'string') return connectionLost.test(messageOf(error)) ? 'unreachable' : undefined;
  if (serverUnreachable.test(code)) return 'unreachable';
  return serverDamaged.test(code) ? 'damaged' : undefined;
}
