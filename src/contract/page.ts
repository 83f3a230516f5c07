import { z } from 'zod';

/** The end of a query for a list. */
export const PageQuery = z.object({
  cursor: z.string().max(512).optional().describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});
export type PageQuery = z.infer<typeof PageQuery>;

/** A page of a list. Items that come or go meanwhile are neither repeated nor cause others to be skipped. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next: z.string().optional().describe('cursor of the following page; absent on the last'),
    total: z.int().min(0).optional().describe('where it costs nothing to know'),
  });
}
