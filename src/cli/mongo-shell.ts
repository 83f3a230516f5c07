/**
 * How mongosh is opened on a deployment: the URL, which may hold a password, comes by a variable and not by an argument.
 */
export function mongoShell(
  url: string,
  environment: NodeJS.ProcessEnv,
): { command: string[]; environment: NodeJS.ProcessEnv } {
  const connect = 'db = connect(process.env.HOLDFAST_SHELL_URL)';
  return {
    command: ['mongosh', '--nodb', '--shell', '--eval', connect],
    environment: { ...environment, HOLDFAST_SHELL_URL: url },
  };
}
