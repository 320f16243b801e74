import { Command, type CommanderError, InvalidArgumentError, Option } from 'commander';
import type { FleetError } from '../runtime/errors.ts';
import { EXIT } from './shell/exit-codes.ts';
import { stderr, stdout, usage } from './shell/terminal.ts';

/** What every verb gets: its options as commander read them, and the words after it. */
export interface Call {
  readonly options: Readonly<Record<string, unknown>>;
  readonly words: readonly string[];
}

type Run = (call: Call) => Promise<number>;
/** One verb's file, loaded only when it is called: a publish does not pay for the agent. Resolves to the exit code. */
type Load = () => Promise<{ run: Run }>;

/** What the verbs are registered with. */
export interface CommandTable {
  readonly root: Command;
  /** A verb below `parent`, with one line about it for the list of verbs. */
  verb(parent: Command, usage: string, summary: string, load: Load): Command;
  /** The exit code of the verb that ran. */
  readonly exitCode: number;
}

/** @param instead run in place of a verb's own file, by its full name such as `agent run`: for the entries of tests. */
export function createCommandTable(version: string, instead: Readonly<Record<string, Run>>): CommandTable {
  let exitCode: number = EXIT.converged;
  const root = new Command('gitfleet')
    .description('git push, and every server of a fleet shows exactly that commit')
    .version(version)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    // What was typed wrongly is said by usageOf, as every other failure.
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
 * The words that commander gets: where help is asked about a verb that there is not, the same without asking for help,
 * since commander then says what was probably meant, and else shows the help of something else as if that were it.
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

/** The verb that these words call, in full such as `gitfleet agent run`; as far as it is known. */
function verbOf(command: Command, argv: readonly string[]): string {
  const [word, ...rest] = argv;
  const next = word === undefined ? undefined : childOf(command, word);
  return next ? `${command.name()} ${verbOf(next, rest)}` : command.name();
}

/** Commander's words for what was typed wrongly, with the name that was probably meant. Null: it has shown its help. */
export function usageOf(error: CommanderError, root: Command, argv: readonly string[]): FleetError | null {
  if (error.code.startsWith('commander.help')) return null;
  const [reason = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const meant = more.join(' ').replace(/^\(|\)$/g, '');
  return usage(reason, `${meant === '' ? '' : `${meant} `}${verbOf(root, argv)} --help shows how`);
}

export const shared = (command: Command): Command =>
  command
    .addOption(new Option('-z, --zookeeper <hosts>', 'connect string, a chroot may follow (GITFLEET_ZOOKEEPER)'))
    .addOption(new Option('--app <znode>', 'the app znode (GITFLEET_APP), default /app/business'))
    .addOption(
      new Option('--auth-file <file>', 'who you are to ZooKeeper: a file of gitfleet init (GITFLEET_AUTH_FILE)'),
    )
    .addOption(new Option('--settings <file>', 'settings file, default /etc/gitfleet/gitfleet.yml where it exists'))
    .addOption(new Option('--json', 'for machines: one JSON value per line (docs/cli.md)'));

/** For options that may be given several times. */
export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

export const example = (command: Command, ...lines: string[]): Command =>
  command.addHelpText(
    'after',
    `\n${lines.length === 1 ? 'Example' : 'Examples'}:\n${lines.map((line) => `  ${line}`).join('\n')}`,
  );

/**
 * Where a value was forgotten (`publish --url --force`) the next option would silently become it. One that is meant is
 * written with its option: `--message=-5%`.
 */
export function refuseOptionsAsValues(command: Command, argv: readonly string[]): void {
  for (const option of command.options) {
    if (!option.required) continue;
    const parse = option.parseArg as ((value: string, before: unknown) => unknown) | undefined;
    option.argParser((value: string, before: unknown) => {
      const attached = argv.includes(`${option.long}=${value}`) || argv.includes(`${option.short}${value}`);
      if (/^-./.test(value) && !attached) {
        throw new InvalidArgumentError(`It looks like an option; if it is meant, write ${option.long}=${value}`);
      }
      return parse ? parse(value, before) : value;
    });
  }
  for (const child of command.commands) refuseOptionsAsValues(child, argv);
}
