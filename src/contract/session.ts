import { z } from 'zod';
import { Id } from './name.ts';
import { Timestamp } from './time.ts';
import { Role, User } from './user.ts';

/** POST /session. */
export const SignInInput = z
  .strictObject({ username: z.string().min(1).max(63), password: z.string().min(1).max(1024) })
  .meta({ id: 'SignInInput' });
export type SignInInput = z.infer<typeof SignInInput>;

/** Who asks. The session itself is a cookie that scripts cannot read. */
export const Session = z
  .object({
    user: User,
    csrfToken: z.string().describe('to send as X-CSRF-Token with everything that changes something'),
    expiresAt: Timestamp,
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof Session>;

/** What a token may: `read`, or what a role may, or one kind of thing. */
export const Scope = z.enum(['read', 'run', 'restore', 'write', 'admin', 'metrics']).meta({ id: 'Scope' });
export type Scope = z.infer<typeof Scope>;

/** A key for scripts. The token itself is told once. */
export const Token = z
  .object({
    id: Id,
    name: z.string(),
    scopes: z.array(Scope),
    role: Role.describe('of who made it; a scope never goes beyond'),
    createdBy: z.string(),
    createdAt: Timestamp,
    expiresAt: Timestamp.optional(),
    lastUsedAt: Timestamp.optional(),
  })
  .meta({ id: 'Token' });
export type Token = z.infer<typeof Token>;

/** POST /tokens. */
export const TokenInput = z
  .strictObject({
    name: z.string().min(1).max(100),
    scopes: z.array(Scope).min(1),
    expiresAt: Timestamp.optional().describe('default: in 90 days'),
  })
  .meta({ id: 'TokenInput' });
export type TokenInput = z.infer<typeof TokenInput>;

export const NewToken = Token.extend({ token: z.string().describe('shown now and never again') }).meta({
  id: 'NewToken',
});
export type NewToken = z.infer<typeof NewToken>;
