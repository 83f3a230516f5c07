import { z } from 'zod';
import { SecretRef, SecretUrl } from './secret.ts';
import { Span } from './time.ts';

const shared = {
  when: z.enum(['before', 'after', 'success', 'failure']).describe('after: whatever the end was'),
  timeout: Span.optional().describe('default: 5min'),
  onError: z
    .enum(['fail', 'continue'])
    .optional()
    .describe('default: fail before the work, continue after it'),
};

const Command = z.array(z.string()).min(1).describe('program and arguments; no shell');

/** A program around the work. Only from holdfast.yaml, or where the server was started with --allow-commands. */
export const CommandHook = z
  .strictObject({
    ...shared,
    kind: z.literal('command'),
    run: Command,
    undo: Command.optional().describe(
      'run in any case afterwards, even if the server dies: starts what `run` stopped',
    ),
  })
  .meta({ id: 'CommandHook' });
export type CommandHook = z.infer<typeof CommandHook>;

/** A call around the work. A status of 400 and more is an error. */
export const HttpHook = z
  .strictObject({
    ...shared,
    kind: z.literal('http'),
    url: SecretUrl,
    method: z.enum(['GET', 'POST', 'PUT']).optional().describe('default: POST, with the job as JSON'),
    headers: z.record(z.string(), z.string()).optional(),
    token: SecretRef.optional().describe('sent as Authorization: Bearer'),
  })
  .meta({ id: 'HttpHook' });
export type HttpHook = z.infer<typeof HttpHook>;

export const Hook = z.discriminatedUnion('kind', [CommandHook, HttpHook]).meta({ id: 'Hook' });
export type Hook = z.infer<typeof Hook>;
