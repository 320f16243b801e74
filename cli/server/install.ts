import { readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { readIdentity } from '../../agent/state/own-credential.ts';
import { identityText } from '../../schemas/enrolment.ts';
import { type AgentSettings, agentSettings, parseSettings } from '../../schemas/settings/settings.ts';
import { parseSettingsFile } from '../../schemas/settings/settings-file.ts';
import { mergeSettings } from '../../schemas/settings/settings-sources.ts';
import type { Call } from '../command-table.ts';
import { ownCommand } from '../own-command.ts';
import { PACKAGED_UNIT, packagingFile, UNIT, UNIT_FILE } from '../packaging-files.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { DEFAULT_FILE as SETTINGS_FILE } from '../shell/settings.ts';
import { say, usage, warn } from '../shell/terminal.ts';
import { type Applied, applyItem, command, type Where } from './apply-setup.ts';
import { POLKIT_RULE, serverSetup, underPrefix } from './server-setup.ts';

/**
 * `gitfleet agent install`: sets up this server as the Debian package does, with what the settings say about the unit
 * and polkit. Run again, it applies changes of the settings, or does nothing.
 */
export async function run({ options }: Call): Promise<number> {
  const where = whereOf(options);
  const template = await readFile(packagingFile('gitfleet.yml'), 'utf8');
  const settings = await settingsOfServer(underPrefix(where.prefix, SETTINGS_FILE), template);
  const packaged = await exists(underPrefix(where.prefix, PACKAGED_UNIT));
  const facts = { settings, user: where.user, command: ownCommand(), packaged, template };
  const applied: Applied[] = [];
  for (const item of serverSetup(facts)) {
    const done = await applyItem(item, where);
    applied.push(done);
    sayApplied(done, where.dryRun);
  }
  await warnOfHoles(settings, where);
  await enable(applied, where);
  if (!where.dryRun) await sayIdentity(settings, where);
  return EXIT.converged;
}

/** The id if the settings give none: the agent then uses its host name. */
const UNNAMED = 'this-server';

/** The agent draws its identity at its first start. A server that is installed again has one already. */
async function sayIdentity({ id, state }: AgentSettings, { prefix }: Where): Promise<void> {
  const agentId = id === UNNAMED ? hostname() : id;
  const own = await readIdentity(underPrefix(prefix, state), agentId).catch(() => null);
  if (own) say(`to enrol this agent: gitfleet enrol ${agentId}=${identityText(own)}`);
  else say('to enrol this agent, once it runs: gitfleet agent status prints the command');
}

/** @throws FleetError USAGE if it is for this machine and we are not root. */
export function whereOf(options: Call['options']): Where {
  const prefix = resolve(String(options['prefix'] ?? '/'));
  const user = String(options['user'] ?? 'gitfleet');
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) throw usage('--user must be a plain user name', 'such as gitfleet');
  const dryRun = options['dryRun'] === true;
  if (prefix === '/' && !dryRun && process.getuid?.() !== 0) {
    throw usage('only root may change this machine', 'use sudo, or --dry-run to see the changes, or --prefix DIR');
  }
  return { prefix, dryRun, user };
}

/** Only from the file: flags and variables of this call do not apply to the unit. @throws FleetError SETTINGS */
export async function settingsOfServer(file: string, template: string): Promise<AgentSettings> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return template;
    throw error;
  });
  const merged = mergeSettings({ flags: {}, environment: {}, file: parseSettingsFile(text, file) });
  return agentSettings(parseSettings(merged, UNNAMED));
}

const WORDS = {
  there: 'as it should be',
  kept: 'kept as it is',
  made: 'made',
  changed: 'changed',
  removed: 'removed',
  skipped: 'left out',
};

export function sayApplied({ what, did, note }: Applied, dryRun: boolean): void {
  if (did === 'there' && note !== undefined) return;
  const would = dryRun && (did === 'made' || did === 'changed' || did === 'removed') ? 'would be ' : '';
  say(`${what}: ${would}${WORDS[did]}${note === undefined ? '' : ` (${note})`}`);
}

/** Problems that neither this command nor the unit can solve. */
async function warnOfHoles({ root, state, restart }: AgentSettings, { prefix }: Where): Promise<void> {
  for (const path of [root, state]) {
    if (/^\/(home|root|run\/user)(\/|$)/.test(path)) {
      warn(`warning: the unit hides ${path} (ProtectHome=yes): choose a directory below /srv or /var`);
    }
  }
  if (restart.length > 0 && prefix === '/' && !(await exists('/usr/share/polkit-1'))) {
    warn(`warning: polkit is not installed, so ${POLKIT_RULE} has no effect: apt-get install polkitd`);
  }
}

/** Informs systemd. Says what was not done, with the command to type. */
async function enable(applied: readonly Applied[], { prefix, dryRun }: Where): Promise<void> {
  const changes = applied.filter(({ did }) => did === 'made' || did === 'changed' || did === 'removed');
  const changed = changes.length > 0;
  const edit = `edit ${SETTINGS_FILE}, then: systemctl enable --now ${UNIT}`;
  if (dryRun) say(changed ? 'nothing was changed: --dry-run' : 'nothing to change');
  else if (prefix !== '/') say(`${changed ? 'installed' : 'nothing changed'} below ${prefix}; there, ${edit}`);
  else if (!(await exists('/run/systemd/system'))) {
    say(changed ? 'installed' : 'nothing changed');
    warn(`systemd is not running here, so the unit was not enabled; once it is: systemctl enable --now ${UNIT}`);
  } else if (!changed) say(`nothing changed; to start it: systemctl enable --now ${UNIT}`);
  else {
    await command(['systemctl', 'daemon-reload']);
    const made = (path: string) => changes.some(({ what, did }) => what === path && did === 'made');
    if (made(UNIT_FILE)) await command(['systemctl', 'enable', '--quiet', UNIT]);
    if (made(SETTINGS_FILE)) say(`installed; next: ${edit}`);
    else say(`changed as the settings say; the agent needs: systemctl restart ${UNIT}`);
  }
}

const exists = async (path: string): Promise<boolean> => (await stat(path).catch(() => null)) !== null;
