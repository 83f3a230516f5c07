import { z } from 'zod';

/** One fault of a request or of holdfast.yaml, and where it lies. */
export const Fault = z
  .object({
    path: z.string().describe('`plans.shop.schedule.daily`, or empty for the whole'),
    message: z.string(),
    hint: z.string().optional(),
    line: z.int().min(1).optional(),
    column: z.int().min(1).optional(),
  })
  .meta({ id: 'Fault' });
export type Fault = z.infer<typeof Fault>;

/** Every error of the API (RFC 9457, application/problem+json). */
export const Problem = z
  .object({
    type: z.string().describe('address of the page on this code'),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.string().describe('stable: `storage.access-denied`'),
    detail: z.string(),
    hint: z.string().optional().describe('a sentence: what to do next'),
    requestId: z.string().optional(),
    errors: z.array(Fault).optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof Problem>;

/** Why something is not simply well: a stable code and a sentence. */
export const Reason = z
  .object({ code: z.string(), message: z.string(), hint: z.string().optional() })
  .meta({ id: 'Reason' });
export type Reason = z.infer<typeof Reason>;
