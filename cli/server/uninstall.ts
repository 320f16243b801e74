import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OWN_SECRETS } from '../../agent/state/own-credential.ts';
import type { Call } from '../command-table.ts';
import { PACKAGED_UNIT, packagingFile, UNIT } from '../packaging-files.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { DEFAULT_FILE as SETTINGS_FILE } from '../shell/settings.ts';
import { say, warn } from '../shell/terminal.ts';
import { applyItem, command, type Where } from './apply-setup.ts';
import { sayApplied, settingsOfServer, whereOf } from './install.ts';
import { UNINSTALLED, underPrefix } from './server-setup.ts';

/** `gitfleet agent uninstall`: stops the agent and removes its unit; its data stays unless `--purge` is given. */
export async function run({ options }: Call): Promise<number> {
  const where = whereOf(options);
  const purge = options['purge'] === true;
  const packaged = await exists(underPrefix(where.prefix, PACKAGED_UNIT));
  const live = where.prefix === '/' && !where.dryRun && (await exists('/run/systemd/system'));
  if (live) await command(['systemctl', 'disable', '--now', '--quiet', UNIT]).catch(() => {});
  for (const path of UNINSTALLED) sayApplied(await applyItem({ kind: 'absent', path }, where), where.dryRun);
  if (live) await command(['systemctl', 'daemon-reload']);
  if (purge) await removeData(where);
  else
    say(
      `kept: ${SETTINGS_FILE}, the state directory, what is served, the user ${where.user}; --purge removes the first two`,
    );
  if (packaged) say(`the Debian package is still there: apt-get ${purge ? 'purge' : 'remove'} gitfleet`);
  return EXIT.converged;
}

/** Removes settings and state. What is served stays, and so does the user that owns it. */
async function removeData(where: Where): Promise<void> {
  const template = await readFile(packagingFile('gitfleet.yml'), 'utf8');
  const { root, state } = await settingsOfServer(underPrefix(where.prefix, SETTINGS_FILE), template);
  const doomed = [underPrefix(where.prefix, state), underPrefix(where.prefix, dirname(SETTINGS_FILE))];
  for (const path of doomed) {
    const strangers = path === doomed[0] ? await notOurs(path) : [];
    if (strangers.length > 0) warn(`${path} was kept: ${strangers[0]} does not belong to an agent`);
    else if (await exists(path)) {
      if (!where.dryRun) await rm(path, { recursive: true });
      say(`${path}: ${where.dryRun ? 'would be ' : ''}removed`);
    }
  }
  if (await exists(join(underPrefix(where.prefix, root), '.gitfleet'))) {
    say(
      `${underPrefix(where.prefix, root)} and the user ${where.user} were kept: a service may still serve from there`,
    );
  } else if (where.prefix === '/' && !where.dryRun) {
    await command(['userdel', where.user]).catch(() => {});
    say(`user ${where.user}: removed`);
  }
}

/** A settings file may name any directory as state. Only what an agent made is removed. */
async function notOurs(state: string): Promise<string[]> {
  const names = await readdir(state).catch(() => []);
  const ours = ['lock', 'apps', 'machine', ...OWN_SECRETS];
  return names.filter((name) => !ours.includes(name.replace(/\.new$/, '')));
}

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null;
