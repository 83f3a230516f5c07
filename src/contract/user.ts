import { z } from 'zod';
import { Id } from './name.ts';
import { Timestamp } from './time.ts';

/** From least to most: looks; runs, restores and pins; changes plans and storages; users, commands and keys too. */
export const Role = z.enum(['viewer', 'operator', 'editor', 'admin']).meta({ id: 'Role' });
export type Role = z.infer<typeof Role>;

export const User = z
  .object({
    id: Id,
    username: z.string(),
    displayName: z.string().optional(),
    email: z.email().optional(),
    role: Role,
    isDisabled: z.boolean(),
    createdAt: Timestamp,
    lastSeenAt: Timestamp.optional(),
  })
  .meta({ id: 'User' });
export type User = z.infer<typeof User>;

const Username = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@-]{0,62}$/i, 'use letters, digits, and . _ @ - between them');
const Password = z.string().min(12, 'use at least 12 characters').max(1024);

/** POST /users. */
export const UserInput = z
  .strictObject({
    username: Username,
    displayName: z.string().max(200).optional(),
    email: z.email().optional(),
    role: Role,
    password: Password,
  })
  .meta({ id: 'UserInput' });
export type UserInput = z.infer<typeof UserInput>;

/** PATCH /users/{id}. */
export const UserChange = UserInput.omit({ username: true })
  .partial()
  .extend({ isDisabled: z.boolean().optional() })
  .meta({ id: 'UserChange' });
export type UserChange = z.infer<typeof UserChange>;

/** POST /setup: the token of the setup link makes the first administrator. */
export const SetupInput = UserInput.omit({ role: true })
  .extend({ token: z.string().min(16).max(256) })
  .meta({ id: 'SetupInput' });
export type SetupInput = z.infer<typeof SetupInput>;
