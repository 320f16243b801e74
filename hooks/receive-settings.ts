import type { ConfigEdit } from '../git/host/config-edit.ts';
import { PINS } from '../git/host/deployment-pins.ts';
import type { Git } from '../git/run/process.ts';

const PUSH_OPTIONS = 'receive.advertisePushOptions';
const HIDDEN = 'receive.hideRefs';
/** The values before ours, so that uninstalling can restore them; `unset` for none. */
const BEFORE = { pushOptions: 'gitfleet.earlierPushOptions', hidden: 'gitfleet.earlierHideRefs' };

/**
 * Settings for git's own part in receiving: accept push options, and keep pushes away from the pins, which a `git push
 * --mirror` would delete. Resolves to what changed, in words.
 */
export async function setUpReceive(config: ConfigEdit): Promise<string[]> {
  const changes: string[] = [];
  if (!(await config.isOn(PUSH_OPTIONS))) {
    await config.set(BEFORE.pushOptions, (await config.read(PUSH_OPTIONS)).at(-1) ?? 'unset');
    await config.set(PUSH_OPTIONS, 'true');
    changes.push(`${PUSH_OPTIONS} is on`);
  }
  if (!(await config.read(HIDDEN)).includes(PINS)) {
    await config.add(HIDDEN, PINS);
    await config.set(BEFORE.hidden, 'unset');
    changes.push(`no push can change ${PINS}`);
  }
  return changes;
}

export async function restoreReceive(config: ConfigEdit): Promise<string[]> {
  const [pushOptions] = await config.read(BEFORE.pushOptions);
  const [hidden] = await config.read(BEFORE.hidden);
  if (pushOptions !== undefined) {
    await config.set(PUSH_OPTIONS, pushOptions === 'unset' ? null : pushOptions);
    await config.set(BEFORE.pushOptions, null);
  }
  if (hidden !== undefined) {
    await config.remove(HIDDEN, PINS);
    await config.set(BEFORE.hidden, null);
  }
  return pushOptions === undefined && hidden === undefined ? [] : ["git's receive settings are as before"];
}

export async function takesPushOptions(git: Git, gitDir: string): Promise<boolean> {
  const said = await git.run(['config', '--local', '--type=bool', '--get', PUSH_OPTIONS], { gitDir });
  return said.exitCode === 0 && said.stdout.toString('utf8').trim() === 'true';
}
