/** Arguments as one could type them in a shell. */
export function commandText(args: readonly string[]): string {
  return args.map(quoted).join(' ');
}

/** The same to be shown and kept: without the passwords of URLs. */
export function commandTextWithoutSecrets(args: readonly string[]): string {
  return commandText(args.map(withoutPasswords));
}

export function withoutPasswords(text: string): string {
  return text.replaceAll(/(\w+:\/\/[^\s:/@]*):[^\s@]*@/g, '$1:***@');
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
