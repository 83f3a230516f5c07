import type { Command } from 'commander';

export type Shell = 'bash' | 'zsh' | 'fish';

interface Word {
  name: string;
  description: string;
}

interface Completable extends Word {
  options: Word[];
}

/** How each shell is told what may follow. */
export const shells: Record<Shell, (program: Completable, commands: Completable[]) => string> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** A completion script for the commands and options of the program as it is now. */
export function writeCompletion(shell: Shell, program: Command): string {
  return shells[shell](completable(program), program.commands.map(completable));
}

function completable(command: Command): Completable {
  const options = command.options.map(({ long, short, description }) => ({
    name: long ?? short!,
    description,
  }));
  return { name: command.name(), description: command.summary(), options };
}

const names = (words: readonly Word[]): string => words.map(({ name }) => name).join(' ');

function bashScript(program: Completable, commands: Completable[]): string {
  const cases = commands.map((command) => `    ${command.name}) words="${names(command.options)}" ;;`);
  return `# bash completion of holdfast
_holdfast() {
  local word command words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " ${names(commands)} " in *" $word "*) command=$word; break ;; esac
  done
  case "$command" in
    '') words="${names(commands)}" ;;
${cases.join('\n')}
  esac
  case "\${COMP_WORDS[COMP_CWORD]}" in
    -*) COMPREPLY=($(compgen -W "$words ${names(program.options)}" -- "\${COMP_WORDS[COMP_CWORD]}")) ;;
    *) [ -n "$command" ] || COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")) ;;
  esac
}
complete -o default -F _holdfast holdfast
`;
}

function zshScript(program: Completable, commands: Completable[]): string {
  const quoted = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(':', '\\:');
  const described = (words: readonly Word[]): string =>
    words.map(({ name, description }) => `'${name}:${quoted(description)}'`).join(' ');
  const cases = commands.map((command) => `    ${command.name}) options+=(${described(command.options)}) ;;`);
  return `#compdef holdfast
# zsh completion of holdfast
_holdfast() {
  local -a commands options
  commands=(${described(commands)})
  options=(${described(program.options)})
  local command=\${\${words[2,CURRENT-1]}[(r)(${commands.map(({ name }) => name).join('|')})]}
  case "$command" in
${cases.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe option options
  elif [[ -z "$command" ]]; then _describe command commands
  else _files
  fi
}
_holdfast "$@"
`;
}

function fishScript(program: Completable, commands: Completable[]): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const optionLine = (condition: string, { name, description }: Word): string =>
    `complete -c holdfast ${condition}-l ${name.replace(/^-+/, '')} -d ${quoted(description)}`;
  return [
    '# fish completion of holdfast',
    ...program.options.filter(({ name }) => name.startsWith('--')).map((option) => optionLine('', option)),
    ...commands.flatMap((command) => [
      `complete -c holdfast -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.description)}`,
      ...command.options
        .filter(({ name }) => name.startsWith('--'))
        .map((option) => optionLine(`-n '__fish_seen_subcommand_from ${command.name}' `, option)),
    ]),
    '',
  ].join('\n');
}
