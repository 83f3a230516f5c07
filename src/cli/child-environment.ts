/** A login at a bucket. Everything of Holdfast's own begins with HOLDFAST_. */
const storageSecrets = new Set(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']);

/**
 * The variables for a program that is not ours: the caller's, without our secrets and those of the storages that are
 * in use.
 * @param locations of the repository and what is read
 * @param keep names that are passed on all the same
 */
export function environmentWithoutSecrets(
  environment: NodeJS.ProcessEnv,
  {
    locations,
    keep = [],
  }: { locations: readonly (string | undefined)[]; keep?: readonly string[] | undefined },
): NodeJS.ProcessEnv {
  const isBucketUsed = locations.some((location) => location?.startsWith('s3:'));
  const isSecret = (name: string): boolean =>
    name.startsWith('HOLDFAST_') || (isBucketUsed && storageSecrets.has(name));
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => keep.includes(name) || !isSecret(name)),
  );
}
