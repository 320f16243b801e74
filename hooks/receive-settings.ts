import type { ConfigEdit } from '../git/host/config-edit.ts';
import { PINS } from '../git/host/deployment-pins.ts';
import type { Git } from '../git/run/process.ts';

const PUSH_OPTIONS = 'receive.advertisePushOptions';
const FILTER = 'uploadpack.allowFilter';
const HIDDEN = 'receive.hideRefs';
/** The values before ours, so that uninstalling can restore them; `unset` for none. */
const BEFORE = {
  pushOptions: 'gitfleet.earlierPushOptions',
  filter: 'gitfleet.earlierAllowFilter',
  hidden: 'gitfleet.earlierHideRefs',
};

/** What is switched on, and where the value before is kept. */
const SWITCHES = [
  [PUSH_OPTIONS, BEFORE.pushOptions],
  [FILTER, BEFORE.filter],
] as const;

/**
 * Settings for git's own part: accept push options; keep pushes away from the pins, which a `git push --mirror` would
 * delete; and send commits without their files to agents that look for a branch (agent.verify.reachableFrom). Resolves
 * to what changed, in words.
 */
export async function setUpReceive(config: ConfigEdit): Promise<string[]> {
  const changes: string[] = [];
  for (const [name, before] of SWITCHES) {
    if (await config.isOn(name)) continue;
    await config.set(before, (await config.read(name)).at(-1) ?? 'unset');
    await config.set(name, 'true');
    changes.push(`${name} is on`);
  }
  if (!(await config.read(HIDDEN)).includes(PINS)) {
    await config.add(HIDDEN, PINS);
    await config.set(BEFORE.hidden, 'unset');
    changes.push(`no push can change ${PINS}`);
  }
  return changes;
}

export async function restoreReceive(config: ConfigEdit): Promise<string[]> {
  let restored = false;
  for (const [name, before] of SWITCHES) {
    const [value] = await config.read(before);
    if (value === undefined) continue;
    await config.set(name, value === 'unset' ? null : value);
    await config.set(before, null);
    restored = true;
  }
  const [hidden] = await config.read(BEFORE.hidden);
  if (hidden !== undefined) {
    await config.remove(HIDDEN, PINS);
    await config.set(BEFORE.hidden, null);
  }
  return !restored && hidden === undefined ? [] : ["git's receive settings are as before"];
}

export async function takesPushOptions(git: Git, gitDir: string): Promise<boolean> {
  const said = await git.run(['config', '--local', '--type=bool', '--get', PUSH_OPTIONS], { gitDir });
  return said.exitCode === 0 && said.stdout.toString('utf8').trim() === 'true';
}
