import { FleetError } from '../../runtime/errors.ts';
import { agentSettings, parseSettings } from '../../schemas/settings/settings.ts';
import { parseSettingsFile } from '../../schemas/settings/settings-file.ts';
import { mergeSettings } from '../../schemas/settings/settings-sources.ts';
import { usage } from '../shell/terminal.ts';

/**
 * What the first settings file of a machine must contain, as questions, and its text. Pure except for `ask`. Each
 * answer is judged at once, as settings are. The text is parsed again before it is returned, so that no file is written
 * that the agent or a publisher would refuse.
 */
export type Machine = 'server' | 'publisher';

interface Question {
  /** The option that answers it, with its name in code. */
  readonly flag: string;
  readonly words: string;
  /** The meaning of an empty answer; null: an answer is required; undefined: it may stay unset. */
  readonly fallback: string | null | undefined;
}

const COMMON: readonly Question[] = [
  { flag: 'zookeeper', words: 'ZooKeeper servers, such as zk1:2181,zk2:2181,zk3:2181', fallback: null },
  { flag: 'app', words: 'znode of the app', fallback: '/app/business' },
];

const QUESTIONS: Readonly<Record<Machine, readonly Question[]>> = {
  server: [
    ...COMMON,
    { flag: 'root', words: 'directory below which the links appear', fallback: '/srv/www' },
    {
      flag: 'allowUrl',
      words: 'prefixes of the repositories that may be deployed, separated by blanks',
      fallback: null,
    },
    {
      flag: 'authFile',
      words: 'credential file agent.auth of gitfleet init; empty if the app is open',
      fallback: undefined,
    },
  ],
  publisher: [
    ...COMMON,
    {
      flag: 'authFile',
      words: 'credential file publisher.auth of gitfleet init; empty if the app is open',
      fallback: undefined,
    },
    { flag: 'url', words: 'repository as the agents reach it; empty: that of the app', fallback: undefined },
    { flag: 'relativePath', words: 'path of the link on each server; empty: that of the app', fallback: undefined },
  ],
};

/** Options that only the other kind of machine has. */
const OTHERS: Readonly<Record<Machine, readonly string[]>> = {
  server: ['url', 'relativePath'],
  publisher: ['root', 'allowUrl', 'id', 'label'],
};

type Flags = Readonly<Record<string, unknown>>;

/** The directory that relative paths refer to, and the default name of an agent. */
interface Here {
  readonly directory: string;
  readonly host: string;
}

/**
 * All flags, with the answers to the open questions; without a terminal, with the fallbacks. @throws FleetError USAGE,
 * SETTINGS
 */
export async function answered(
  machine: Machine,
  given: Flags,
  here: Here,
  ask: ((question: string, problem: string | null) => Promise<string>) | null,
): Promise<Flags> {
  const foreign = OTHERS[machine].filter((flag) => given[flag] !== undefined).map(optionOf);
  if (foreign.length > 0) throw usage(`a ${machine} has no ${foreign.join(' and no ')}`, 'leave it out');
  let flags = given;
  const open = QUESTIONS[machine].filter(({ flag }) => given[flag] === undefined);
  if (ask === null) {
    const missing = open.filter(({ fallback }) => fallback === null).map(({ flag }) => optionOf(flag));
    if (missing.length > 0) throw missingOptions(machine, missing);
  } else if (given['zookeeper'] !== undefined) judge(flags, here);
  for (const question of open) flags = { ...flags, ...(await answer(question, flags, here, ask)) };
  return flags;
}

const MAX_TRIES = 5;

async function answer(
  { flag, words, fallback }: Question,
  flags: Flags,
  here: Here,
  ask: ((question: string, problem: string | null) => Promise<string>) | null,
): Promise<Flags> {
  let problem: string | null = null;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const said: string = ask ? (await ask(`${words}${fallback ? ` [${fallback}]` : ''}: `, problem)).trim() : '';
    const value: string | null | undefined = said === '' ? fallback : said;
    if (value === undefined) return {};
    problem = value === null ? 'this needs an answer' : problemOf({ ...flags, [flag]: valueIn(flag, value) }, here);
    if (value !== null && problem === null) return { [flag]: valueIn(flag, value) };
  }
  throw usage(`no answer could be used for ${optionOf(flag)}: ${problem}`, 'gitfleet setup --help shows the options');
}

const valueIn = (flag: string, text: string): unknown => (flag === 'allowUrl' ? text.split(/\s+/) : text);
const optionOf = (flag: string): string => `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const missingOptions = (machine: Machine, missing: readonly string[]): FleetError =>
  usage(
    `${missing.join(' and ')} must be given, since there is no terminal to ask at`,
    `gitfleet setup ${machine} ${missing.map((option) => `${option} ...`).join(' ')}`,
  );

const merged = (flags: Flags, { directory }: Here) => mergeSettings({ flags, environment: {}, directory });
const judge = (flags: Flags, here: Here) => parseSettings(merged(flags, here), here.host);

/** In one line; null: there is none. */
function problemOf(flags: Flags, here: Here): string | null {
  try {
    judge(flags, here);
    return null;
  } catch (error) {
    if (error instanceof FleetError && error.code === 'SETTINGS') return error.message;
    throw error;
  }
}

/** @throws FleetError SETTINGS */
export function settingsText(machine: Machine, flags: Flags, here: Here): string {
  const settings = merged(flags, here);
  const text = ['# Written by gitfleet setup. All settings: docs/settings.md', ...yamlLines(settings, ''), ''].join(
    '\n',
  );
  const read = parseSettings(parseSettingsFile(text, 'the new settings') as Record<string, unknown>, here.host);
  if (machine === 'server') agentSettings(read);
  return text;
}

/** Sections, lists and texts. A JSON string is valid YAML. */
function yamlLines(section: Readonly<Record<string, unknown>>, indent: string): string[] {
  return Object.entries(section).flatMap(([key, value]) => {
    if (Array.isArray(value))
      return [`${indent}${key}:`, ...value.map((each) => `${indent}  - ${JSON.stringify(each)}`)];
    if (value === null || typeof value !== 'object') return [`${indent}${key}: ${JSON.stringify(value)}`];
    return [`${indent}${key}:`, ...yamlLines(value as Readonly<Record<string, unknown>>, `${indent}  `)];
  });
}
