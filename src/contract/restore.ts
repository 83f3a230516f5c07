import { z } from 'zod';
import { Name } from './name.ts';
import { SecretUrl } from './secret.ts';
import { SnapshotId } from './snapshot.ts';

/** POST /restores: the same words as `holdfast restore`. */
export const RestoreInput = z
  .strictObject({
    repository: Name,
    snapshotId: SnapshotId,
    path: z.string().optional().describe('only this part'),
    target: z.union([z.string().startsWith('/', 'write an absolute path'), SecretUrl]),
    include: z.array(z.string()).min(1).optional(),
    exclude: z.array(z.string()).min(1).optional(),
    overwrite: z.enum(['never', 'if-changed', 'always']).optional().describe('default: never'),
    verify: z.boolean().optional(),
    dryRun: z.boolean().optional(),
    confirm: z.string().optional().describe('the name of what is overwritten, typed'),
  })
  .meta({ id: 'RestoreInput' });
export type RestoreInput = z.infer<typeof RestoreInput>;
