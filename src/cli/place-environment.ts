const foreign = /^(?:AWS|SSH|HTTPS?|NO)_/;
const login = /^AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE)$/;

/**
 * The variables for a storage that is read from, where another one is written: `HOLDFAST_FROM_AWS_PROFILE` stands for
 * AWS_PROFILE there, `HOLDFAST_FROM_SFTP_PASSWORD` for HOLDFAST_SFTP_PASSWORD. What is not set counts for both, but of
 * a login only all or nothing. undefined: there are none.
 */
export function fromEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv | undefined {
  return environmentOf('HOLDFAST_FROM_', env);
}

/** The same for a storage that is restored to (`HOLDFAST_TO_…`), where the repository is another one. */
export function toEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv | undefined {
  return environmentOf('HOLDFAST_TO_', env);
}

function environmentOf(prefix: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv | undefined {
  const own = Object.entries(env).flatMap(([name, value]): [string, string | undefined][] => {
    if (!name.startsWith(prefix)) return [];
    const rest = name.slice(prefix.length);
    return [[foreign.test(rest) ? rest : `HOLDFAST_${rest}`, value]];
  });
  if (own.length === 0) return undefined;
  const hasLogin = own.some(([name]) => login.test(name));
  const shared = Object.entries(env).filter(([name]) => !(hasLogin && login.test(name)));
  return Object.fromEntries([...shared, ...own]);
}
