// Who is let in, and what they may do: users, sessions, tokens, roles. Knows no route.
export { Access, type AccessOptions, type Caller, type Person } from './access.ts';
export { AccessError } from './errors.ts';
export type { Permission } from './permissions.ts';
