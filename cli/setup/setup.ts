import { existsSync, readFileSync } from 'node:fs';
import { chmod, link, mkdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { syncDirectory, writeAside } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { Call } from '../command-table.ts';
import { packagingFile } from '../packaging-files.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { DEFAULT_FILE } from '../shell/settings.ts';
import { say, stdout, usage } from '../shell/terminal.ts';
import { answered, type Machine, settingsText } from './first-settings.ts';

/**
 * `gitfleet setup [server|publisher]`: asks for what the first settings file needs, and writes it. It does not ask for
 * what an option gives, and asks nothing without a terminal. An existing file is never overwritten, except for the
 * unchanged example of a package. ZooKeeper is not contacted.
 */
export async function run({ options, words }: Call): Promise<number> {
  const file = resolve(String(options['out'] ?? defaultFile()));
  refuseExisting(file);
  const here = { directory: process.cwd(), host: hostname() };
  const person = process.stdin.isTTY && process.stdout.isTTY ? atTerminal() : null;
  try {
    const machine = await machineOf(words[0], person?.ask ?? null);
    const flags = await answered(machine, options, here, person?.ask ?? null);
    await write(file, settingsText(machine, flags, here));
    say(`${file} is written`, ...nextLines(machine, file));
  } finally {
    person?.leave();
  }
  return EXIT.converged;
}

const isRoot = () => process.getuid?.() === 0;

/** The default settings file if the user may write there; otherwise, a file of the user. */
const defaultFile = (): string =>
  isRoot() ? DEFAULT_FILE : join(process.env['HOME'] ?? '.', '.config/gitfleet/gitfleet.yml');

async function machineOf(word: string | undefined, ask: Ask | null): Promise<Machine> {
  const said = word ?? (await ask?.('is this a server that shows commits, or a publisher? [server]: ', null));
  const machine = said === undefined ? undefined : said.trim() || 'server';
  if (machine === 'server' || machine === 'publisher') return machine;
  if (machine === undefined) throw usage('server or publisher must be named', 'gitfleet setup server --help');
  throw usage(`${JSON.stringify(machine.slice(0, 60))} is no kind of machine`, 'gitfleet setup server, or publisher');
}

type Ask = (question: string, problem: string | null) => Promise<string>;

/** Reads lines from the terminal. Ctrl-C ends the process as usual: nothing is written yet. */
function atTerminal(): { readonly ask: Ask; readonly leave: () => void } {
  const lines = process.stdin.setEncoding('utf8')[Symbol.asyncIterator]();
  return {
    async ask(question, problem) {
      stdout().write(`${problem === null ? '' : `  ${problem}\n`}${question}`);
      const { value, done } = await lines.next();
      if (done) throw usage('the input ended before the last answer', 'nothing was written; gitfleet setup asks again');
      return String(value);
    },
    leave: () => void process.stdin.destroy(),
  };
}

/** A file that cannot be read is not the example. */
function isExample(file: string): boolean {
  try {
    return readFileSync(file).equals(readFileSync(packagingFile('gitfleet.yml')));
  } catch {
    return false;
  }
}

function refuseExisting(file: string): void {
  if (existsSync(file) && !isExample(file)) throw exists(file);
}

const exists = (file: string): FleetError =>
  FleetError.of('SETTINGS', `${file} exists, and setup overwrites no file`, `edit it, or name another one: --out FILE`);

/**
 * Creates it with its parents, readable by the agent's user whatever the umask is. One directory at a time: below
 * /proc, Node's own recursive call never ends.
 */
async function makeDirectory(directory: string): Promise<void> {
  if (existsSync(directory)) return;
  await makeDirectory(dirname(directory));
  await mkdir(directory);
  await chmod(directory, 0o755);
}

/** All or nothing: a file that appears meanwhile belongs to another process, and stays. */
async function write(file: string, text: string): Promise<void> {
  await makeDirectory(dirname(file)).catch((error: Error) => {
    throw FleetError.of(
      'SETTINGS',
      `${dirname(file)} cannot be made: ${error.message}`,
      'name another file: --out FILE',
    );
  });
  const aside = `${file}.new`;
  await writeAside(aside, text, 0o644);
  try {
    if (existsSync(file) && isExample(file)) await rename(aside, file);
    else await link(aside, file);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? exists(file) : error;
  } finally {
    await rm(aside, { force: true });
  }
  await syncDirectory(dirname(file));
}

function nextLines(machine: Machine, file: string): string[] {
  const isDefault = file === DEFAULT_FILE;
  const named = isDefault ? '' : ` --settings ${file}`;
  const start =
    machine === 'server' ? `gitfleet agent ${isDefault ? 'install' : `run${named}`}` : `gitfleet status${named}`;
  return [`next: gitfleet doctor${named}`, `then: ${start}`];
}
