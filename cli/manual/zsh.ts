import { type Described, type DescribedOption, type DescribedWord, type ValueSource, withAll } from './describe.ts';

/** Completion for zsh: one function per verb, which passes its options and operands to zsh's `_arguments`. */
export function zshCompletion(root: Described): string {
  return `${[
    '#compdef gitfleet',
    '# zsh completion for gitfleet, made by: gitfleet completion zsh',
    ...withAll(root).flatMap(functionOf),
    // Loaded by zsh at the first use, or read with `source <(gitfleet completion zsh)`.
    'if [[ $funcstack[1] == _gitfleet ]]; then _gitfleet "$@"; else compdef _gitfleet gitfleet; fi',
  ].join('\n')}\n`;
}

function functionOf(verb: Described): string[] {
  const name = nameOf(verb.path);
  const options = verb.options.map((option) => `    ${optionSpec(option)}`);
  if (verb.verbs.length === 0) {
    return [`${name}() {`, '  _arguments -s -S \\', ...continued([...options, ...verb.operands.map(operandSpec)]), '}'];
  }
  return [
    `${name}() {`,
    '  local curcontext=$curcontext state line',
    '  typeset -A opt_args',
    '  _arguments -C \\',
    ...continued([...options, "    '1:verb:->verb'", "    '*::word:->words'"]),
    '  case $state in',
    '    verb) local -a verbs=(',
    ...verb.verbs.flatMap((child) => names(child).map((each) => `      ${quoted(`${each}:${child.summary}`)}`)),
    '    ); _describe verb verbs ;;',
    '    words) case $line[1] in',
    ...verb.verbs.map((child) => `      ${names(child).join('|')}) ${nameOf(child.path)} ;;`),
    '    esac ;;',
    '  esac',
    '}',
  ];
}

const nameOf = (path: readonly string[]): string => ['_gitfleet', ...path].join('_').replaceAll('-', '_');
const names = ({ path, aliases }: Described): string[] => [path.at(-1) ?? '', ...aliases];

const continued = (lines: readonly string[]): string[] =>
  lines.map((line, at) => (at === lines.length - 1 ? line : `${line} \\`));

/** `'(-m --message)'{-m+,--message=}'[the reason]:why: '`: either spelling, once. */
function optionSpec({ names: spelt, description, value, repeatable }: DescribedOption): string {
  const ends = spelt.map((name) => `${name}${value === null ? '' : name.startsWith('--') ? '=' : '+'}`);
  const said = `[${description.replace(/[[\]\\]/g, '\\$&')}]${value === null ? '' : valueSpec(value)}`;
  if (repeatable) return ends.map((end) => quoted(`*${end}${said}`)).join(' ');
  if (ends.length === 1) return quoted(`${ends[0]}${said}`);
  return `${quoted(`(${spelt.join(' ')})`)}{${ends.join(',')}}${quoted(said)}`;
}

const valueSpec = (value: DescribedWord): string =>
  `${value.required ? ':' : '::'}${escaped(value.name)}:${actionOf(value.values)}`;

/** `*:::` hands over the words from here on, and the blank keeps `_arguments` from adding its own. */
const operandSpec = (operand: DescribedWord, at: number): string =>
  operand.variadic && operand.values === 'command'
    ? `    ${quoted(`*:::${escaped(operand.name)}: _normal`)}`
    : wordSpec(operand, at);

const wordSpec = (operand: DescribedWord, at: number): string =>
  `    ${quoted(`${operand.variadic ? '*' : at + 1}${operand.required || operand.variadic ? ':' : '::'}${escaped(operand.name)}:${actionOf(operand.values)}`)}`;

function actionOf(values: ValueSource): string {
  // With a message, for which zsh has a blank here, Tab would not insert the only option that is possible.
  if (values === null) return '{true}';
  if (values === 'file') return '_files';
  if (values === 'directory') return '_files -/';
  if (values === 'command') return '_command_names -e';
  return `(${values.join(' ')})`;
}

const escaped = (text: string): string => text.replaceAll(':', '\\:');
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
