import { Command, type CommanderError, InvalidArgumentError, Option } from 'commander';
import type { FleetError } from '../runtime/errors.ts';
import { EXIT } from './shell/exit-codes.ts';
import { stderr, stdout, usage } from './shell/terminal.ts';

/** What every verb gets: its options as commander parsed them, and its operands. */
export interface Call {
  readonly options: Readonly<Record<string, unknown>>;
  readonly words: readonly string[];
}

type Run = (call: Call) => Promise<number>;
/**
 * Loads a verb's file when the verb is called: a publish does not pay for the agent. `run` resolves to the exit code.
 */
type Load = () => Promise<{ run: Run }>;

/** Registers the verbs. */
export interface CommandTable {
  readonly root: Command;
  /** A verb below `parent`, with one line about it for the list of verbs. */
  verb(parent: Command, usage: string, summary: string, load: Load): Command;
  /** The exit code of the verb that ran. */
  readonly exitCode: number;
}

/** @param instead replaces a verb's own file, by its full name such as `agent run`: for the entries of tests. */
export function createCommandTable(version: string, instead: Readonly<Record<string, Run>>): CommandTable {
  let exitCode: number = EXIT.converged;
  const root = new Command('gitfleet')
    .description('git push, and every server of a fleet shows exactly that commit')
    .version(version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    // usageOf reports usage errors, in the form of every other failure.
    .configureOutput({
      outputError: () => {},
      writeOut: (text) => void stdout().write(text),
      writeErr: (text) => void stderr().write(text),
    });
  return {
    root,
    get exitCode() {
      return exitCode;
    },
    verb: (parent, usage, summary, load) =>
      parent
        .command(usage)
        .summary(summary)
        .description(summary)
        .exitOverride()
        .allowExcessArguments(false)
        .action(async (...args: unknown[]) => {
          const command = args.at(-1) as Command;
          const call = { options: command.optsWithGlobals(), words: command.args };
          const name = [parent === root ? '' : parent.name(), command.name()].join(' ').trim();
          const replaced = instead[name];
          exitCode = replaced ? await replaced(call) : await (await load()).run(call);
        }),
  };
}

const HELP = ['help', '--help', '-h'];

/**
 * The words that commander gets. For a verb that does not exist, the request for help is removed: commander then
 * suggests the nearest verb instead of showing the help of another command.
 */
export function withoutHelpOfUnknown(root: Command, argv: readonly string[]): readonly string[] {
  let at = root;
  for (const word of argv.filter((each) => !each.startsWith('-') && !HELP.includes(each))) {
    if (at.commands.length === 0) return argv;
    const next = childOf(at, word);
    if (!next) return argv.filter((each) => !HELP.includes(each));
    at = next;
  }
  return argv;
}

const childOf = (command: Command, word: string): Command | undefined =>
  command.commands.find((one) => [one.name(), ...one.aliases()].includes(word));

/** The full name of the verb that these words call, such as `gitfleet agent run`, as far as it exists. */
function verbOf(command: Command, argv: readonly string[]): string {
  const [word, ...rest] = argv;
  const next = word === undefined ? undefined : childOf(command, word);
  return next ? `${command.name()} ${verbOf(next, rest)}` : command.name();
}

/** Options that people know from other tools, and what to use here. */
const INSTEAD: Readonly<Record<string, string>> = {
  '--dry-run':
    'gitfleet plan shows what publish would do, gitfleet plan --rollback what rollback would, without writing;',
  '-v': 'gitfleet version, or gitfleet -V;',
};

/** Puts the verbs into groups, in this order. A verb in no group is listed under "Commands", which a test refuses. */
export function inGroups(root: Command, groups: Readonly<Record<string, readonly string[]>>): void {
  const order = Object.values(groups).flat();
  for (const [heading, names] of Object.entries(groups)) {
    for (const name of names) childOf(root, name)?.helpGroup(heading);
  }
  (root.commands as Command[]).sort((a, b) => order.indexOf(a.name()) - order.indexOf(b.name()));
}

/** A usage error, with the nearest name. Null: commander has shown its help. */
export function usageOf(error: CommanderError, root: Command, argv: readonly string[]): FleetError | null {
  if (error.code.startsWith('commander.help')) return null;
  const [reason = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const meant = more.join(' ').replace(/^\(|\)$/g, '');
  const instead = INSTEAD[/^unknown option '(.+)'$/.exec(reason)?.[1] ?? ''] ?? meant;
  return usage(reason, `${instead === '' ? '' : `${instead} `}${verbOf(root, argv)} --help shows how`);
}

export const shared = (command: Command): Command =>
  command
    .addOption(new Option('-z, --zookeeper <hosts>', 'connect string, optionally with a chroot (GITFLEET_ZOOKEEPER)'))
    .addOption(new Option('--app <znode>', 'the app znode (GITFLEET_APP), default /app/business'))
    .addOption(new Option('--auth-file <file>', 'credential file made by gitfleet init (GITFLEET_AUTH_FILE)'))
    .addOption(new Option('--settings <file>', 'settings file, default /etc/gitfleet/gitfleet.yml if it exists'))
    .addOption(new Option('--json', 'print one JSON value per line (docs/cli.md)'));

export const WHY = 'the reason, shown in history';

/** For verbs whose act is shown in history. */
export const reasoned = (command: Command): Command => command.option('-m, --message <why>', WHY);

/** For options that may be given several times. */
export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

interface Note {
  readonly heading: string;
  readonly lines: readonly string[];
}

/** The paragraphs below the options of each verb. */
const NOTES = new WeakMap<Command, Note[]>();

export const notesOf = (command: Command): readonly Note[] => NOTES.get(command) ?? [];
/** Adds a paragraph below the options of a verb. */
export function note(command: Command, heading: string, lines: readonly string[]): Command {
  NOTES.set(command, [...notesOf(command), { heading, lines }]);
  return command.addHelpText('after', `\n${heading}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

export const example = (command: Command, ...lines: string[]): Command =>
  note(command, lines.length === 1 ? 'Example' : 'Examples', lines);

/**
 * Refuses an option as the value of another: in `publish --url --force`, commander would take `--force` as the url. A
 * value that begins with a dash is written with its option: `--message=-5%`.
 */
export function refuseOptionsAsValues(command: Command, argv: readonly string[]): void {
  for (const option of command.options) {
    if (!option.required) continue;
    const parse = option.parseArg as ((value: string, before: unknown) => unknown) | undefined;
    option.argParser((value: string, before: unknown) => {
      const attached = argv.includes(`${option.long}=${value}`) || argv.includes(`${option.short}${value}`);
      if (/^-./.test(value) && !attached) {
        throw new InvalidArgumentError(`It looks like an option; to give it as a value, write ${option.long}=${value}`);
      }
      return parse ? parse(value, before) : value;
    });
  }
  for (const child of command.commands) refuseOptionsAsValues(child, argv);
}
