import { z } from 'zod';

/** What people call a plan, repository, source or channel: `shop-nightly`. It stands in tags, URLs and file names. */
export const Name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'use small letters, digits, and - . _ between them, at most 63')
  .meta({ id: 'Name', examples: ['shop-nightly'] });
export type Name = z.infer<typeof Name>;

/** An id that the server gave. Opaque. */
export const Id = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/)
  .meta({ id: 'Id' });
export type Id = z.infer<typeof Id>;

/** Words for routing and filters: `team: shop`. */
export const Labels = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9._/-]{0,62}$/, 'use small letters, digits and . _ / -'),
    z.string().max(200),
  )
  .meta({ id: 'Labels', examples: [{ team: 'shop', environment: 'production' }] });
export type Labels = z.infer<typeof Labels>;

/** Where a configured thing comes from. What the file says is read-only everywhere else. */
export const Origin = z
  .discriminatedUnion('from', [
    z.object({ from: z.literal('file'), line: z.int().min(1).describe('of holdfast.yaml') }),
    z.object({ from: z.literal('dashboard') }),
    z.object({ from: z.literal('holdfast').describe('made by the server itself, such as the self backup') }),
  ])
  .meta({ id: 'Origin' });
export type Origin = z.infer<typeof Origin>;
