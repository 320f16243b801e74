import { PINS } from '../git/deployment-pins.ts';
import type { Git } from '../git/process.ts';
import { addConfig, readConfig, removeConfig, writeConfig } from '../git/repository-config.ts';

const PUSH_OPTIONS = 'receive.advertisePushOptions';
const HIDDEN = 'receive.hideRefs';
/** What these were before us, so that uninstalling can put it back; `unset` for nothing. */
const BEFORE = { pushOptions: 'gitfleet.earlierPushOptions', hidden: 'gitfleet.earlierHideRefs' };

/**
 * What git itself has to do for us when it receives: take push options, and keep pushes away from the pins, which a
 * `git push --mirror` would delete. Resolves to what changed, in words.
 */
export async function setUpReceive(git: Git, gitDir: string): Promise<string[]> {
  const changes: string[] = [];
  if (!(await takesPushOptions(git, gitDir))) {
    const before = (await readConfig(git, gitDir, PUSH_OPTIONS)).at(-1) ?? 'unset';
    await writeConfig(git, gitDir, { [BEFORE.pushOptions]: before, [PUSH_OPTIONS]: 'true' });
    changes.push(`${PUSH_OPTIONS} is on`);
  }
  if (!(await readConfig(git, gitDir, HIDDEN)).includes(PINS)) {
    await addConfig(git, gitDir, HIDDEN, PINS);
    await writeConfig(git, gitDir, { [BEFORE.hidden]: 'unset' });
    changes.push(`no push can change ${PINS}`);
  }
  return changes;
}

export async function restoreReceive(git: Git, gitDir: string): Promise<string[]> {
  const [pushOptions] = await readConfig(git, gitDir, BEFORE.pushOptions);
  const [hidden] = await readConfig(git, gitDir, BEFORE.hidden);
  if (pushOptions !== undefined) {
    await writeConfig(git, gitDir, {
      [PUSH_OPTIONS]: pushOptions === 'unset' ? null : pushOptions,
      [BEFORE.pushOptions]: null,
    });
  }
  if (hidden !== undefined) {
    await removeConfig(git, gitDir, HIDDEN, PINS);
    await writeConfig(git, gitDir, { [BEFORE.hidden]: null });
  }
  return pushOptions === undefined && hidden === undefined ? [] : ["git's receive settings are as before"];
}

export async function takesPushOptions(git: Git, gitDir: string): Promise<boolean> {
  const said = await git.ask(['config', '--local', '--type=bool', '--get', PUSH_OPTIONS], { gitDir });
  return said.exitCode === 0 && said.stdout.toString('utf8').trim() === 'true';
}
