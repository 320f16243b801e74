import { type Described, type DescribedWord, spellings, type ValueSource, withAll } from './describe.ts';

/**
 * Completion for bash, which needs only bash 4 or later: verbs, options, and values if the table knows them. It
 * contacts no server and starts no process. bash splits `--name=value` into three words, and `_gitfleet` joins them
 * again.
 */
export function bashCompletion(root: Described): string {
  const verbs = withAll(root);
  return `${[
    '# bash completion for gitfleet, made by: gitfleet completion bash',
    '_gitfleet_of() {',
    '  case $1 in',
    ...verbs.map((verb) => `    ${patterns(verb)}) ${tableOf(verb)} ;;`),
    '    *) return 1 ;;',
    '  esac',
    '}',
    '_gitfleet_value() {',
    '  case $1 in',
    ...verbs.flatMap((verb) => verb.options.flatMap((option) => valueLine(verb, option.names, option.value))),
    '  esac',
    '}',
    WALK,
  ].join('\n')}\n`;
}

/**
 * The body of `_gitfleet`: walks the words before the cursor to find the verb, or the option that still needs its
 * value.
 */
const WALK = `_gitfleet() {
  local cur=\${COMP_WORDS[COMP_CWORD]} verb='' option='' at=0 only='' word i
  local verbs options valued operands
  COMPREPLY=()
  _gitfleet_of ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == = ]]; then continue; fi
    if [[ $option && $word != -* ]]; then option=''
    elif [[ ! $only && $word == -- ]]; then only=1
    elif [[ ! $only && $word == -* ]]; then
      option=''
      if [[ " $valued " == *" $word "* ]]; then option=$word; fi
    elif [[ $verbs ]] && _gitfleet_of "\${verb:+$verb }$word"; then verb=\${verb:+$verb }$word
    else at=$((at + 1)); fi
  done
  if [[ $cur == = ]]; then cur=''; fi
  if [[ $option && $cur != -* ]]; then _gitfleet_value "\${verb:+$verb }$option"
  elif [[ ! $only && $cur == -* ]]; then mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
  elif [[ $verbs ]]; then mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
  else
    if ((at >= \${#operands[@]})); then at=$((\${#operands[@]} - 1)); fi
    if ((at >= 0)); then eval "\${operands[at]}"; fi
  fi
}
complete -F _gitfleet gitfleet`;

const patterns = (verb: Described): string => (verb.path.length === 0 ? "''" : spellings(verb).map(quoted).join('|'));

function tableOf({ verbs, options, operands }: Described): string {
  const names = verbs.flatMap(({ path, aliases }) => [path.at(-1) ?? '', ...aliases]);
  const valued = options.filter(({ value }) => value !== null).flatMap((option) => option.names);
  return [
    `verbs=${quoted(names.join(' '))}`,
    `options=${quoted(options.flatMap((option) => option.names).join(' '))}`,
    `valued=${quoted(valued.join(' '))}`,
    `operands=(${operands.map(operandWord).join(' ')})`,
  ].join(' ');
}

/** After the last operand nothing is offered, unless it may be repeated. */
function operandWord(operand: DescribedWord, at: number, all: readonly DescribedWord[]): string {
  const offered = quoted(replyOf(operand.values));
  return at === all.length - 1 && !operand.variadic ? `${offered} ':'` : offered;
}

function valueLine({ path }: Described, names: readonly string[], value: DescribedWord | null): string[] {
  if (value === null || value.values === null) return [];
  return [`    ${names.map((name) => quoted([...path, name].join(' '))).join('|')}) ${replyOf(value.values)} ;;`];
}

function replyOf(values: ValueSource): string {
  if (values === null) return ':';
  if (values === 'file') return `compopt -o filenames; ${reply('-f')}`;
  if (values === 'directory') return `compopt -o filenames; ${reply('-d')}`;
  if (values === 'command') return reply('-c');
  return reply(`-W ${quoted(values.join(' '))}`);
}

/** By lines, so that a name with a blank remains one word. */
const reply = (what: string): string => `mapfile -t COMPREPLY < <(compgen ${what} -- "$cur")`;

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
