import { z } from 'zod';
import { Span, Zone } from './time.ts';

/** Settings of the whole server, in holdfast.yaml and in the API. */
export const Settings = z
  .strictObject({
    zone: Zone.optional().describe('of schedules that name none; default: UTC'),
    publicUrl: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('stands in messages, and is an allowed Host'),
    allowedHosts: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('more names by which the server may be asked'),
    jobsAtOnce: z.int().min(1).max(1000).optional().describe('of one worker; default: 4'),
    trash: Span.optional().describe('how long a forgotten snapshot can be taken back; default: 7d'),
    historyDays: z
      .int()
      .min(1)
      .max(36_500)
      .optional()
      .describe('how long jobs and events are kept; default: 400'),
    outbound: z
      .strictObject({
        privateAddresses: z
          .boolean()
          .optional()
          .describe('default: true; false: URLs must not lead into private networks'),
        allow: z
          .array(z.string().min(1))
          .optional()
          .describe('hosts and networks that may be reached in any case'),
      })
      .optional(),
  })
  .meta({ id: 'Settings' });
export type Settings = z.infer<typeof Settings>;
