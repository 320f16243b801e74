import { join } from 'node:path';
import { readPins, stalePinLock } from '../git/host/deployment-pins.ts';
import { gitDirOf, readRepositoryConfig } from '../git/host/repository-config.ts';
import type { Git } from '../git/run/process.ts';
import { type HookFile, lookAtHook } from './hook-files.ts';
import { type HookCommand, type HookName, hookScript } from './hook-script.ts';
import { gateOf, hookSettings, type InstalledSettings } from './hook-settings.ts';
import { takesPushOptions } from './receive-settings.ts';

/** The state of a repository, from its own disk. */
export interface HookStatus extends InstalledSettings {
  readonly gitDir: string;
  readonly files: readonly InspectedFile[];
  readonly pushOptions: boolean;
  /** The number of pinned deployments of each app. */
  readonly pins: Readonly<Record<string, number>>;
  /** A lock file that prevents the removal of old pins. */
  readonly staleLock: string | null;
}

interface InspectedFile extends Omit<HookFile, 'text'> {
  readonly name: HookName;
  /** Whether these installations need it. */
  readonly needed: boolean;
  /** Whether it equals, byte for byte, what this gitfleet would write now. */
  readonly current: boolean;
}

/** @throws FleetError NOT_A_REPOSITORY */
export async function inspectHooks(
  git: Git,
  repository: string,
  command: HookCommand,
  now: number,
): Promise<HookStatus> {
  const gitDir = await gitDirOf(git, repository);
  const installed = hookSettings(await readRepositoryConfig(git, gitDir));
  const { hooks } = installed;
  const apps = [...new Set(hooks.map(({ app }) => app))];
  const pins = await Promise.all(apps.map(async (app) => [app, (await readPins(git, gitDir, app)).length] as const));
  const names = ['post-receive', 'pre-receive'] as const;
  return {
    gitDir,
    ...installed,
    files: await Promise.all(names.map((name) => inspectFile(join(gitDir, 'hooks'), name, installed, command))),
    pushOptions: await takesPushOptions(git, gitDir),
    pins: Object.fromEntries(pins),
    staleLock: hooks.length > 0 ? await stalePinLock(gitDir, now) : null,
  };
}

async function inspectFile(
  directory: string,
  name: HookName,
  { hooks, broken }: InstalledSettings,
  command: HookCommand,
): Promise<InspectedFile> {
  const { text, ...found } = await lookAtHook(directory, name);
  const gate = gateOf([...hooks, ...broken]);
  const needed = hooks.length + broken.length > 0 && (name === 'post-receive' || gate !== null);
  return { name, ...found, needed, current: text === hookScript(name, command, gate ?? 'lenient') };
}

/** What on the disk keeps a push from deploying, in words, with the next step; empty: nothing. */
export function problemsOf({ hooks, broken, files, pushOptions, staleLock }: HookStatus): string[] {
  const found = broken.map(({ failure }) => `${failure.message}; ${failure.hint}`);
  for (const { file, state, executable, needed, ...more } of files) {
    if (!needed) {
      if (state === 'ours' || state === 'edited') found.push(`${file} is left over; ${AGAIN}`);
    } else if (state === 'absent') found.push(`${file} is missing; ${AGAIN}`);
    else if (state === 'foreign') found.push(`${file} is not ours: ${whyForeign(more)}`);
    else if (!executable) found.push(`${file} cannot be executed, so git passes it over; chmod +x ${file}`);
    if (needed && state === 'edited') found.push(`${file} was changed since gitfleet wrote it; ${OWN_FILE}`);
  }
  if (hooks.length > 0 && !pushOptions) found.push(`receive.advertisePushOptions is off; ${AGAIN}`);
  if (staleLock !== null) found.push(`${staleLock} was left: no ref can be deleted; if no git runs here, remove it`);
  return found;
}

/** An installation that was completed put ours in place. */
function whyForeign({ earlier, earlierIsSame }: Pick<InspectedFile, 'earlier' | 'earlierIsSame'>): string {
  if (earlier === null) return `ours is not there, or not any more; ${AGAIN}, which keeps both`;
  if (earlierIsSame) return `an installation ended before ours was written; ${AGAIN}, which keeps both`;
  return `ours was replaced, and ${earlier} is from before it; keep one of them under that name, move the other away, ${AGAIN}`;
}

const OWN_FILE = 'what was added belongs into a hook of its own, which ours then calls first';
const AGAIN = 'run gitfleet hook install again';
