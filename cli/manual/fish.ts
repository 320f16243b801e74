import { type Described, type DescribedOption, spellings, type ValueSource, withAll } from './describe.ts';

/** Completion for fish: one line per verb, option and operand, whose condition is the verb that it belongs to. */
export function fishCompletion(root: Described): string {
  const verbs = withAll(root);
  return `${[
    '# fish completion for gitfleet, made by: gitfleet completion fish',
    ...WALK,
    'function __gitfleet_verb_of',
    '    switch "$argv"',
    ...verbs
      .slice(1)
      .flatMap((verb) => [
        `        case ${spellings(verb).map(quoted).join(' ')}`,
        `            echo ${quoted(verb.path.join(' '))}`,
      ]),
    '    end',
    'end',
    'function __gitfleet_takes_value',
    '    switch "$argv"',
    ...verbs.flatMap(valuedCase),
    '    end',
    'end',
    'complete -c gitfleet -f',
    ...verbs.flatMap(linesOf),
  ].join('\n')}\n`;
}

/**
 * Finds the verb before the cursor, skipping options and their values: `__gitfleet_at agent run` is true if it is that
 * one.
 */
const WALK = [
  'function __gitfleet_at',
  "    set -l verb ''",
  "    set -l option ''",
  '    set -l words (commandline -opc)',
  '    for word in $words[2..-1]',
  '        if test -n "$option"; and not string match -q -- "-*" $word',
  "            set option ''",
  '        else if string match -q -- "-*" $word',
  "            set option ''",
  '            if __gitfleet_takes_value (string trim -- "$verb $word")',
  '                set option $word',
  '            end',
  '        else',
  '            set -l next (__gitfleet_verb_of (string trim -- "$verb $word"))',
  '            if test -n "$next"',
  '                set verb $next',
  '            end',
  '        end',
  '    end',
  '    test "$verb" = "$argv"',
  'end',
];

function valuedCase({ path, options }: Described): string[] {
  const valued = options.filter(({ value }) => value !== null).flatMap(({ names }) => names);
  if (valued.length === 0) return [];
  const cases = valued.map((name) => quoted([...path, name].join(' ')));
  return [`        case ${cases.join(' ')}`, '            return 0'];
}

function linesOf(verb: Described): string[] {
  const when = `complete -c gitfleet -n ${quoted(`__gitfleet_at ${verb.path.join(' ')}`.trim())}`;
  return [
    ...verb.verbs.flatMap((child) =>
      [child.path.at(-1) ?? '', ...child.aliases].map((name) => `${when} -a ${name} -d ${quoted(child.summary)}`),
    ),
    ...verb.options.map((option) => `${when} ${optionWords(option)} -d ${quoted(option.description)}`),
    ...verb.operands.filter(({ values }) => values !== null).map(({ values }) => `${when} ${valueWords(values)}`),
  ];
}

function optionWords({ names, value }: DescribedOption): string {
  const spelt = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  if (value === null) return spelt.join(' ');
  // -x: a value, and no file. An optional value may follow after a blank too, so it is taken like any other.
  const taken = value.values === 'file' ? ['-r'] : ['-x'];
  return [...spelt, ...taken, valueWords(value.values)].filter((word) => word !== '').join(' ');
}

function valueWords(values: ValueSource): string {
  if (values === null) return '';
  if (values === 'file') return '-F';
  if (values === 'directory') return "-a '(__fish_complete_directories)'";
  if (values === 'command') return "-a '(__fish_complete_command)'";
  return `-a ${quoted(values.join(' '))}`;
}

const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
