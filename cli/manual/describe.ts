import type { Argument, Command, Option } from 'commander';
import { collect, notesOf } from '../command-table.ts';

/**
 * The command table as plain values, from which completion and the manual are made: nothing about a verb is written
 * twice. It contains all verbs, including those that only a hook calls.
 */
export interface Described {
  /** Without `gitfleet`: `['agent', 'run']`; empty for `gitfleet` itself. */
  readonly path: readonly string[];
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly description: string;
  /** The heading of its group in `gitfleet --help`, without the colon. */
  readonly group: string;
  readonly options: readonly DescribedOption[];
  readonly operands: readonly DescribedWord[];
  readonly notes: ReturnType<typeof notesOf>;
  readonly verbs: readonly Described[];
}

export interface DescribedOption {
  /** The short one first: `['-m', '--message']`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Null: a switch. */
  readonly value: DescribedWord | null;
  readonly repeatable: boolean;
}

export interface DescribedWord {
  readonly name: string;
  readonly required: boolean;
  readonly variadic: boolean;
  readonly values: ValueSource;
}

/** What completion offers: these words, or what the shell finds; null: nothing. */
export type ValueSource = readonly string[] | 'file' | 'directory' | 'command' | null;

/** By the name that a word has in the help. */
const FOUND_BY_SHELL: Readonly<Record<string, ValueSource>> = {
  file: 'file',
  socket: 'file',
  dir: 'directory',
  repository: 'directory',
  program: 'command',
  command: 'command',
};

/** Operands and options with few accepted words. The verbs refuse others, and a test compares the two. */
export const KNOWN_VALUES: Readonly<Record<string, readonly string[]>> = {
  'agent run --log-format': ['auto', 'text', 'json'],
  'completion shell': ['bash', 'zsh', 'fish'],
  'flag set value': ['on', 'off'],
  'hook install --gate': ['lenient', 'strict'],
  'service pick --strategy': ['random', 'sticky'],
  'service write --format': ['json', 'haproxy', 'nginx', 'envoy', 'prometheus'],
  'setup machine': ['server', 'publisher'],
  'zk up --servers': ['1', '3'],
};

/** @param root the root of a table that no call has changed yet. */
export function describe(root: Command): Described {
  const whole = describeVerb(root, []);
  return { ...whole, verbs: [...whole.verbs, helpVerb(whole)] };
}

const HELP: DescribedOption = { names: ['-h', '--help'], description: 'show the help', value: null, repeatable: false };

/** commander creates this verb itself. */
function helpVerb({ verbs }: Described): Described {
  const values = verbs.map(({ path }) => path.join(' '));
  const summary = 'show the help of a command';
  return {
    path: ['help'],
    aliases: [],
    summary,
    description: summary,
    group: verbs.at(-1)?.group ?? '',
    options: [HELP],
    operands: [{ name: 'command', required: false, variadic: false, values }],
    notes: [],
    verbs: [],
  };
}

function describeVerb(command: Command, path: readonly string[]): Described {
  const known = (word: string) => KNOWN_VALUES[[...path, word].join(' ')];
  return {
    path,
    aliases: command.aliases(),
    summary: command.summary() || command.description(),
    description: command.description(),
    group: command.helpGroup().replace(/:$/, ''),
    options: [...command.options.map((option) => describeOption(option, known)), HELP],
    operands: command.registeredArguments.map((operand) => describeOperand(operand, known)),
    notes: notesOf(command),
    verbs: command.commands.map((child) => describeVerb(child, [...path, child.name()])),
  };
}

type Known = (word: string) => readonly string[] | undefined;

function describeOption(option: Option, known: Known): DescribedOption {
  const name = /[<[](.+?)(?:\.\.\.)?[>\]]/.exec(option.flags)?.[1];
  const values = known(option.long ?? '') ?? FOUND_BY_SHELL[name ?? ''] ?? null;
  const value = { name: name ?? '', required: option.required, variadic: option.variadic, values };
  return {
    names: [option.short, option.long].filter((each) => each !== undefined),
    description: option.description,
    value: name === undefined ? null : value,
    repeatable: option.parseArg === collect,
  };
}

function describeOperand(operand: Argument, known: Known): DescribedWord {
  const values = known(operand.name()) ?? FOUND_BY_SHELL[operand.name()] ?? null;
  return { name: operand.name(), required: operand.required, variadic: operand.variadic, values };
}

/** This verb and all verbs below it, parents first. */
export const withAll = (verb: Described): Described[] => [verb, ...verb.verbs.flatMap(withAll)];

/** Each way to type the verb: `publish`, `deploy`. */
export const spellings = ({ path, aliases }: Described): string[] =>
  [path.at(-1) ?? '', ...aliases].map((name) => [...path.slice(0, -1), name].join(' '));
