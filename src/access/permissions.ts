/** What a request does; each route names one. */
export type Permission = 'read' | 'run' | 'restore' | 'write' | 'admin' | 'metrics';

/** From least to most. */
const permissionsOf: Record<string, readonly Permission[]> = {
  viewer: ['read'],
  operator: ['read', 'run', 'restore'],
  editor: ['read', 'run', 'restore', 'write'],
  admin: ['read', 'run', 'restore', 'write', 'admin', 'metrics'],
};

/** What a role may; of a token, what its scopes leave of that. Whoever may do something may also look. */
export function permissionsFor(role: string, scopes?: readonly string[]): ReadonlySet<Permission> {
  const ofRole = permissionsOf[role] ?? [];
  if (!scopes) return new Set(ofRole);
  const isLooking = scopes.some((scope) => scope !== 'metrics');
  return new Set(ofRole.filter((each) => scopes.includes(each) || (each === 'read' && isLooking)));
}
