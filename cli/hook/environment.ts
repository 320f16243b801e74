import { constants, existsSync } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createGit, DEFAULT_PATH, type Git } from '../../git/run/process.ts';
import type { HookCommand } from '../../hooks/hook-script.ts';
import { systemClock } from '../../runtime/clock.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import { createLog } from '../../runtime/log.ts';
import { run } from '../../runtime/process.ts';
import { ownCommand } from '../own-command.ts';

/** Git for questions about the repository that a hook stands in. */
export const gitOfHooks = (): Git =>
  createGit({ clock: systemClock, log: createLog({ level: 'silent' }), path: process.env['PATH'] });

/**
 * How installed hooks start this gitfleet. They find git on a PATH of their own: that of every system, and where git is
 * elsewhere, its directory before that.
 */
export function hookCommand(): HookCommand {
  const find = (path: string) => path.split(':').find((directory) => existsSync(join(directory, 'git')));
  const elsewhere = find(DEFAULT_PATH) === undefined ? find(process.env['PATH'] ?? '') : undefined;
  return [...ownCommand(), elsewhere === undefined ? DEFAULT_PATH : `${elsewhere}:${DEFAULT_PATH}`];
}

/** The repository that a person named, by default where they stand. @throws FleetError NOT_A_REPOSITORY for a clone. */
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
 * A git that the pusher's Ctrl-C or hang-up ended, in the instant between its start and a process group of its own, is
 * asked once more. For questions, and orders that may be given twice.
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
 * Where git itself looks for the hooks of a repository, null where it does not say. It is asked as this user's push would
 * ask it: core.hooksPath may be set for the user or the whole machine, which our own git never reads.
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

/** Several users may receive into a repository that all of them may write. Root may write everywhere: only as its owner. */
export const isReceiver = (me: number, owner: number, writes: boolean): boolean => me === owner || (me !== 0 && writes);
