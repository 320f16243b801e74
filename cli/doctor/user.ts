import { readFile } from 'node:fs/promises';
import type { AgentSettings } from '../../schemas/settings/settings.ts';
import { PACKAGED_UNIT, UNIT_FILE, userOfUnit } from '../packaging-files.ts';
import { becomeUser, idsOfUser, ownerOf } from '../shell/agent-user.ts';
import { DEFAULT_FILE } from '../shell/settings.ts';
import { type Finding, failed, ok, warning } from './finding.ts';

/**
 * If root runs doctor, this process becomes the agent's user: root can read every file and enter every directory, and
 * would find nothing wrong even if the agent cannot start. With the settings of the unit it is the unit's user;
 * otherwise, the owner of the state directory.
 */
export async function lookAsAgent({ state }: AgentSettings, settingsFile: string | null): Promise<Finding> {
  if (process.getuid?.() !== 0) return ok('user', `checked as uid ${process.getuid?.()}`);
  const named = settingsFile === DEFAULT_FILE ? await unitUser() : null;
  const ids = named === null ? await ownerOf(state) : await idsOfUser(named);
  const name = named ?? `uid ${ids?.uid}`;
  if (ids !== null) {
    becomeUser(ids);
    return ok(
      'user',
      ids.uid === 0 ? 'checked as root, as the agent runs' : `checked as the user of the agent, ${name}`,
    );
  }
  const hint = 'run it as the user of the agent: runuser -u gitfleet -- gitfleet doctor';
  if (named !== null) return failed('user', `the unit runs the agent as ${named}, and there is no such user`, hint);
  return warning('user', `checked as root: ${state} does not exist yet, so the user of the agent is unknown`, hint);
}

async function unitUser(): Promise<string | null> {
  for (const file of [UNIT_FILE, PACKAGED_UNIT]) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return userOfUnit(text);
  }
  return null;
}
