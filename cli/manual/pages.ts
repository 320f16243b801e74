import type { EXIT } from '../shell/exit-codes.ts';
import type { Described, DescribedOption, DescribedWord } from './describe.ts';
import { bold, inQuotes, italic, paragraph, prose, section, subsection, tagged, text, verbatim } from './roff.ts';

/** The meaning of each exit code. docs/cli.md has the same rows, and a test compares the two. */
export const EXIT_MEANS: Readonly<Record<keyof typeof EXIT, string>> = {
  converged: 'done; after waiting: converged',
  failed: 'failed: an agent cannot get there without a person',
  usage: 'usage or settings: nothing was asked of any other machine',
  rolledBack: 'rolled back: the last proven target was published in its place',
  notConverged: 'timed out, or no agent online; the rollout continues',
  refused: 'refused: a hold, a quarantine, a rollout that has ended, a cutover that not every agent can take part in',
  conflict: 'conflict: another publisher was first, or a newer deployment superseded this one',
  unavailable:
    'ZooKeeper or credentials unavailable, the app was not created with `gitfleet init`, or no coordinator is elected',
  changes: '`plan --exit-code`: the target would change',
  inDoubt: '`lock`, `elect`: the lock or the lead was in doubt, so the command was ended',
  detached: 'ended by Ctrl-C',
};

interface Edition {
  readonly version: string;
  readonly exit: typeof EXIT;
}

/** The pages of section 1 by file name: `gitfleet.1`, and one per verb, with the verbs below it. */
export function manualPages(root: Described, edition: Edition): Readonly<Record<string, string>> {
  const pages = root.verbs.map((verb) => [`${pageOf(verb)}.1`, verbPage(verb, edition.version)] as const);
  return { 'gitfleet.1': frontPage(root, edition), ...Object.fromEntries(pages) };
}

const pageOf = ({ path }: Described): string => ['gitfleet', ...path].join('-');

function frontPage(root: Described, { version, exit }: Edition): string {
  const groups = [...new Set(root.verbs.map(({ group }) => group))];
  const codes = Object.entries(exit) as [keyof typeof EXIT, number][];
  return page('gitfleet', version, [
    section('Name'),
    text(`gitfleet - ${root.summary}`),
    section('Synopsis'),
    `${bold('gitfleet')} ${italic('verb')} [${italic('options')}]`,
    section('Description'),
    text(`${root.description}. Each verb has a page of its own; gitfleet VERB --help shows the same.`),
    section('Verbs'),
    ...groups.flatMap((group) => [
      subsection(group),
      ...root.verbs.filter((verb) => verb.group === group).flatMap((verb) => tagged(verbTag(verb), `${verb.summary}.`)),
    ]),
    ...optionLines(root.options),
    section('Exit status'),
    ...codes.flatMap(([name, code]) => tagged(bold(String(code)), `${EXIT_MEANS[name]}.`)),
    section('Environment'),
    text('Most settings have a variable, such as GITFLEET_ZOOKEEPER. An option wins over it.'),
    section('Files'),
    ...tagged(italic('/etc/gitfleet/gitfleet.yml'), 'The settings, unless --settings names another file.'),
  ]);
}

const verbTag = (verb: Described): string =>
  [`${bold(pageOf(verb))}(1)`, ...verb.aliases.map((alias) => bold(alias))].join(', ');

function verbPage(verb: Described, version: string): string {
  return page(pageOf(verb), version, [
    section('Name'),
    text(`${pageOf(verb)} - ${verb.summary}`),
    section('Synopsis'),
    ...[verb, ...verb.verbs].filter(({ verbs }) => verbs.length === 0).flatMap((each) => [synopsis(each), '.br']),
    section('Description'),
    prose(sentence(verb.description)),
    ...(verb.aliases.length > 0 ? paragraph(`Also called ${verb.aliases.join(', ')}.`) : []),
    ...optionLines(verb.options),
    ...(verb.verbs.length > 0 ? [section('Commands')] : []),
    ...verb.verbs.flatMap(partOfPage),
    ...verb.notes.flatMap(({ heading, lines }) => [section(headingOf(heading)), ...verbatim(lines)]),
    section('See also'),
    `${bold('gitfleet')}(1)`,
  ]);
}

function partOfPage(verb: Described): string[] {
  return [
    subsection(['gitfleet', ...verb.path].join(' ')),
    prose(sentence(verb.description)),
    ...verb.options.flatMap(optionLine),
    ...verb.notes.flatMap(({ heading, lines }) => [...paragraph(`${heading}:`), ...verbatim(lines)]),
  ];
}

const page = (name: string, version: string, lines: readonly string[]): string =>
  `${[`.TH ${inQuotes(name.toUpperCase())} 1 "" ${inQuotes(`gitfleet ${version}`)} "gitfleet"`, ...UNBROKEN, ...lines].join('\n')}\n`;

/** No hyphenation and a ragged right edge: a name that is split in two can be neither searched nor copied. */
const UNBROKEN = ['.nh', '.ad l'];

/** `gitfleet publish [options] [rev]` */
const synopsis = ({ path, operands }: Described): string =>
  [bold(['gitfleet', ...path].join(' ')), `[${italic('options')}]`, ...operands.map(operandText)].join(' ');

function operandText({ name, required, variadic, values }: DescribedWord): string {
  const word = `${italic(name)}${variadic ? '...' : ''}`;
  // The options of a command that is run are its own.
  const whole = variadic && values === 'command' ? `${text('--')} ${word}` : word;
  return required ? whole : `[${whole}]`;
}

const optionLines = (options: readonly DescribedOption[]): string[] => [
  section('Options'),
  ...options.flatMap(optionLine),
];

function optionLine({ names, value, description, repeatable }: DescribedOption): string[] {
  const taken = value === null ? '' : value.required ? ` ${italic(value.name)}` : ` [${italic(value.name)}]`;
  const again = repeatable && !/repeatable/.test(description) ? '; repeatable' : '';
  // No capital: a description may begin with a value, such as tcp.
  return tagged(`${names.map(bold).join(', ')}${taken}`, `${description}${again}.`.replace(/\.\.$/, '.'));
}

const headingOf = (heading: string): string => (heading === 'Exit codes' ? 'Exit status' : 'Examples');
const sentence = (words: string): string =>
  `${words.charAt(0).toUpperCase()}${words.slice(1)}${/\.$/.test(words) ? '' : '.'}`;
