import type { Configured } from '#catalog';
import { ServerError } from '../errors.ts';

/** What the file says is changed there only. @throws ServerError 'server.read-only' */
export function assertNotOfFile({ name, origin }: Pick<Configured<unknown>, 'name' | 'origin'>): void {
  if (origin.from !== 'file') return;
  throw new ServerError('server.read-only', `${name} comes from holdfast.yaml, line ${origin.line}`, {
    hint: 'Change it there; the server reads the file again by itself.',
  });
}
