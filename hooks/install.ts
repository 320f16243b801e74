import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { changeConfig } from '../git/host/config-edit.ts';
import { branchTip, gitDirOf, readRepositoryConfig } from '../git/host/repository-config.ts';
import type { Git } from '../git/run/process.ts';
import { FleetError } from '../runtime/errors.ts';
import { isOneBranch } from './branch-pattern.ts';
import { lookAtHook, placeHook, refuseEdited, refuseUnclear, removeHook } from './hook-files.ts';
import { type HookCommand, type HookName, hookScript } from './hook-script.ts';
import { type Gate, gateOf, type HookSettings, hookSettings, sectionOf } from './hook-settings.ts';
import { restoreReceive, setUpReceive } from './receive-settings.ts';

interface HookInstalled {
  /** The post-receive hook. */
  readonly file: string;
  readonly gitDir: string;
  /** The branch's current commit; null if nothing was pushed yet, or a pattern stands for many branches. */
  readonly tip: string | null;
  /** What has changed, in words; empty: everything was there already. */
  readonly changes: readonly string[];
  /** Everything that is installed in this repository now. */
  readonly hooks: readonly HookSettings[];
}

/**
 * Makes a bare repository deploy one branch, or the branches of a pattern, to one app: writes the settings into the
 * repository's own git config, then the hook files. Running it again for the same branch and app updates only that
 * installation.
 * @throws FleetError NOT_A_REPOSITORY, HOOKS_SHARED, HOOK_EDITED, HOOK_EXISTS, CONFIG_LOCKED
 */
export async function installHook(
  git: Git,
  repository: string,
  settings: HookSettings,
  command: HookCommand,
): Promise<HookInstalled> {
  const gitDir = await gitDirOf(git, repository);
  const directory = join(gitDir, 'hooks');
  const shared = await sharedHooks(gitDir);
  if (shared !== null) throw hooksShared(directory, shared);
  const section = sectionOf(settings);
  const { hooks: before, broken } = hookSettings(await readRepositoryConfig(git, gitDir));
  const others = [
    ...before.filter((hook) => sectionOf(hook) !== section),
    ...broken.filter((each) => each.section !== section),
  ];
  await checkFiles(directory, wantedFiles([settings, ...others]));
  const received = await changeConfig(git, gitDir, async (config) => {
    for (const [name, value] of Object.entries(settings)) await config.set(`gitfleet.${section}.${name}`, value);
    return await setUpReceive(config);
  });
  // Read again: another process may be installing another app.
  const now = hookSettings(await readRepositoryConfig(git, gitDir));
  const changes = [
    ...differences(before.find((hook) => sectionOf(hook) === section) ?? null, settings),
    ...received,
    ...(await placeFiles(directory, wantedFiles([...now.hooks, ...now.broken]), command)),
  ];
  const tip = isOneBranch(settings.branch) ? await branchTip(git, gitDir, settings.branch) : null;
  return { file: join(directory, 'post-receive'), gitDir, tip, changes, hooks: now.hooks };
}

interface HookUninstalled {
  readonly gitDir: string;
  readonly removed: readonly HookSettings[];
  readonly changes: readonly string[];
  readonly hooks: readonly HookSettings[];
}

/**
 * Removes installations. With the last one, the hook files and what they needed are removed, and what was there before
 * them is restored. Pins stay: agents may still need what they keep.
 * @param which null: any. Broken settings are identified by the name of their section.
 * @throws FleetError NOT_A_REPOSITORY, HOOK_EDITED, HOOK_EXISTS, CONFIG_LOCKED
 */
export async function uninstallHook(
  git: Git,
  repository: string,
  which: { readonly branch: string | null; readonly app: string | null },
  command: HookCommand,
): Promise<HookUninstalled> {
  const gitDir = await gitDirOf(git, repository);
  const { hooks, broken } = hookSettings(await readRepositoryConfig(git, gitDir));
  const leaves = (each: { readonly branch: string | null; readonly app: string | null }) =>
    (which.branch ?? each.branch) === each.branch && (which.app ?? each.app) === each.app;
  const [removed, staying] = [hooks.filter(leaves), hooks.filter((hook) => !leaves(hook))];
  const sections = [...removed.map(sectionOf), ...broken.filter(leaves).map(({ section }) => section)];
  const everything = which.branch === null && which.app === null;
  if (sections.length === 0 && !everything) return { gitDir, removed, changes: [], hooks };
  const rest = [...staying, ...broken.filter((each) => !leaves(each))];
  const directory = join(gitDir, 'hooks');
  const wanted = wantedFiles(rest);
  const shared = await sharedHooks(gitDir);
  if (shared === null) await checkFiles(directory, wanted);
  const changes =
    shared === null
      ? await placeFiles(directory, wanted, command)
      : [`${directory} leads to ${shared}, which other repositories may use: its hook files were left alone`];
  const received = await changeConfig(git, gitDir, async (config) => {
    for (const section of sections) await config.removeSection(`gitfleet.${section}`);
    return rest.length === 0 ? await restoreReceive(config) : [];
  });
  for (const { section } of broken.filter(leaves)) {
    changes.push(`[gitfleet ${JSON.stringify(section)}] removed, which was broken`);
  }
  changes.push(...received);
  return { gitDir, removed, changes, hooks: staying };
}

/**
 * Where the hooks directory of a repository leads, if it is not its own: what is written there for this repository
 * would also run at the pushes of every other one that uses it. Null: it is its own, or does not exist yet.
 */
async function sharedHooks(gitDir: string): Promise<string | null> {
  const real = await realpath(join(gitDir, 'hooks')).catch(() => null);
  return real === null || dirname(real) === (await realpath(gitDir)) ? null : real;
}

const hooksShared = (directory: string, real: string): FleetError =>
  FleetError.of(
    'HOOKS_SHARED',
    `${directory} leads to ${real}, and every repository that uses it would run this hook; nothing was touched`,
    `give the repository hooks of its own, and run this again: rm ${directory} && cp -r ${real} ${directory}`,
  );

/** The hook files that a repository needs. All others of ours are removed. */
interface WantedFiles {
  readonly deploys: boolean;
  readonly gate: Gate | null;
}

/** @param installed includes broken ones: their hook says so at each push, and their gate stays closed. */
function wantedFiles(installed: readonly { readonly gate: Gate | null }[]): WantedFiles {
  return { deploys: installed.length > 0, gate: gateOf(installed) };
}

/** Checks, before anything is changed, that everything can be. @throws FleetError HOOK_EDITED, HOOK_EXISTS */
async function checkFiles(directory: string, { deploys, gate }: WantedFiles): Promise<void> {
  const names: [HookName, boolean][] = [
    ['post-receive', deploys],
    ['pre-receive', gate !== null],
  ];
  for (const [name, needed] of names) {
    const found = await lookAtHook(directory, name);
    if (needed) await refuseUnclear(found);
    else refuseEdited(found);
  }
}

async function placeFiles(directory: string, { deploys, gate }: WantedFiles, command: HookCommand): Promise<string[]> {
  const changes = deploys
    ? await placeHook(directory, 'post-receive', hookScript('post-receive', command))
    : await removeHook(directory, 'post-receive');
  const more =
    gate !== null
      ? await placeHook(directory, 'pre-receive', hookScript('pre-receive', command, gate))
      : await removeHook(directory, 'pre-receive');
  return [...changes, ...more];
}

function differences(before: HookSettings | null, after: HookSettings): string[] {
  if (before === null) return ['settings written'];
  return (Object.keys(after) as (keyof HookSettings)[])
    .filter((name) => before[name] !== after[name])
    .map((name) => `${name}: ${before[name] ?? 'none'} -> ${after[name] ?? 'none'}`);
}
