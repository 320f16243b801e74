import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type CommitGraph, commitGraph } from '../../git/host/commit-graph.ts';
import { createGit, DEFAULT_PATH, type Git } from '../../git/run/process.ts';
import type { HookCommand } from '../../hooks/hook-script.ts';
import { systemClock } from '../../runtime/clock.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import { createLog } from '../../runtime/log.ts';
import { run } from '../../runtime/process.ts';
import { ownCommand } from '../own-command.ts';

/** Git for queries about the repository of a hook. */
export const gitOfHooks = (): Git =>
  createGit({ clock: systemClock, log: createLog({ level: 'silent' }), path: process.env['PATH'] });

/** What the receiving repository knows about its commits. */
export const graphOf = (git: Git, gitDir: string): CommitGraph => commitGraph((args) => git.output(args, { gitDir }));

/**
 * How installed hooks start this gitfleet. They find git on a PATH of their own: the default one and, if this process
 * uses another git, that git's directory before it.
 */
export const hookCommand = (): HookCommand => [...ownCommand(), hookPath(process.env['PATH'] ?? '')];

/** Only absolute directories count: a hook runs in another directory. */
export function hookPath(here: string, always: string = DEFAULT_PATH): string {
  const find = (path: string) =>
    path.split(':').find((directory) => isAbsolute(directory) && isProgram(join(directory, 'git')));
  const [mine, found] = [find(here), find(always)];
  if (mine === undefined || (found !== undefined && isSameFile(join(mine, 'git'), join(found, 'git')))) return always;
  return `${mine}:${always}`;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * Also true through a link: git puts the directory of its own programs, with a link to itself, on the PATH of its
 * children.
 */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [statSync(one), statSync(other)];
  return a.ino === b.ino && a.dev === b.dev;
}

/**
 * The repository that a person named; default: the current directory. @throws FleetError NOT_A_REPOSITORY for a clone.
 */
export async function namedRepository(word: string | undefined): Promise<string> {
  const named = resolve(word ?? '.');
  const path = await realpath(named).catch(() => named);
  if (!existsSync(join(path, '.git'))) return path;
  throw FleetError.of(
    'NOT_A_REPOSITORY',
    `${path} is a clone with a work tree, and pushes deploy from a bare repository`,
    'name the bare repository that receives the pushes, such as /srv/git/shop.git (make one: git init --bare)',
  );
}

/**
 * Runs git a second time if the pusher's Ctrl-C or hang-up ended it in the instant between its start and its own
 * process group. For queries, and for commands that may run twice.
 */
export function onceMore(git: Git): Git {
  const again = async <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      return await ask();
    } catch (error) {
      if (classify(error).code !== 'GIT_KILLED') throw error;
      return await ask();
    }
  };
  return {
    sandbox: git.sandbox,
    run: (args, call) => again(() => git.run(args, call)),
    output: (args, call) => again(() => git.output(args, call)),
  };
}

/** Whether git silently ignores our files because core.hooksPath is set, or other repositories use them too. */
export async function elsewhere(gitDir: string): Promise<string[]> {
  const directory = join(gitDir, 'hooks');
  const ours = await realpath(directory).catch(() => directory);
  const found: string[] = [];
  if (dirname(ours) !== (await realpath(gitDir))) {
    found.push(`${directory} leads to ${ours}: every repository that uses it runs these hooks too`);
  }
  const asked = await hooksDirectory(gitDir);
  if (asked !== null && asked !== ours) {
    found.push(`core.hooksPath is set, so git runs the hooks in ${asked} and never those in ${directory}`);
    found.push(`to make git use them: git -C ${gitDir} config core.hooksPath ${ours}`);
  }
  return found;
}

/**
 * The directory in which git looks for the hooks of a repository; null if git does not say. It is run as in this user's
 * push: core.hooksPath may be set for the user or the whole machine, and our own git never reads those settings.
 */
async function hooksDirectory(gitDir: string): Promise<string | null> {
  const names = ['PATH', 'HOME', 'XDG_CONFIG_HOME', 'GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM', 'GIT_CONFIG_NOSYSTEM'];
  const env = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  const said = await run(['git', `--git-dir=${gitDir}`, 'rev-parse', '--git-path', 'hooks'], {
    cwd: gitDir,
    env: Object.fromEntries(env),
    clock: systemClock,
    timeoutMs: 10_000,
    maxBytes: 64 * 1024,
    keep: 'all',
  });
  if (said.exitCode !== 0) return null;
  const directory = resolve(gitDir, said.stdout.toString('utf8').replace(/\n$/, ''));
  return await realpath(directory).catch(() => directory);
}

/**
 * Whether this process runs as a user that receives pushes into a repository: another user may not be able to read the
 * credential that this one can. Null if it does, else why not, in words.
 */
export async function notTheReceiver(gitDir: string): Promise<string | null> {
  const me = process.geteuid?.() ?? 0;
  const { uid: owner } = await stat(gitDir);
  const writes = await access(join(gitDir, 'objects'), constants.W_OK).then(
    () => true,
    () => false,
  );
  return isReceiver(me, owner, writes)
    ? null
    : `${gitDir} belongs to the user with uid ${owner}, and this is uid ${me}`;
}

/**
 * Several users may receive into a repository that all of them may write. Root may write everywhere, so it counts only
 * as the owner.
 */
export const isReceiver = (me: number, owner: number, writes: boolean): boolean => me === owner || (me !== 0 && writes);
