import { dirname, join } from 'node:path';
import type { AgentSettings } from '../../schemas/settings/settings.ts';
import { fill, UNIT_FILE, unitWord, writable } from '../packaging-files.ts';
import { DEFAULT_FILE as SETTINGS_FILE } from '../shell/settings.ts';

/** One item of a server on which an agent is installed. */
export type SetupItem =
  | { readonly kind: 'user'; readonly name: string; readonly home: string }
  /** Owner: the agent's user, or root. An existing directory keeps its rights. */
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number; readonly ofAgent: boolean }
  /** `keep`: once written, it belongs to the operator. */
  | { readonly kind: 'file'; readonly path: string; readonly content: string; readonly keep: boolean }
  | { readonly kind: 'absent'; readonly path: string };

const DROP_IN = `${UNIT_FILE}.d/10-settings.conf`;
export const POLKIT_RULE = '/etc/polkit-1/rules.d/50-gitfleet.rules';
/** The directories that the packaged unit and StateDirectory already open for writing. */
const OPEN = { root: '/srv/www', state: '/var/lib/gitfleet' };

interface SetupFacts {
  readonly settings: AgentSettings;
  readonly user: string;
  /** The command of the unit. */
  readonly command: readonly string[];
  /** The Debian package installed unit, user and directories: only what depends on the settings is left. */
  readonly packaged: boolean;
  /** The settings file to write if there is none. */
  readonly template: string;
}

/** What belongs on a server according to its settings, in the order in which it is created. Pure. */
export function serverSetup({ settings, user, command, packaged, template }: SetupFacts): readonly SetupItem[] {
  const { root, state, restart } = settings;
  const others = [root, state].filter((path) => !Object.values(OPEN).includes(path));
  const rule = fill('50-gitfleet.rules', { units: restart, user });
  return [
    { kind: 'user', name: user, home: OPEN.state },
    { kind: 'directory', path: dirname(SETTINGS_FILE), mode: 0o755, ofAgent: false },
    { kind: 'file', path: SETTINGS_FILE, content: template, keep: true },
    { kind: 'directory', path: state, mode: 0o700, ofAgent: true },
    { kind: 'directory', path: root, mode: 0o755, ofAgent: true },
    ...(packaged ? [] : [unit(settings, user, command)]),
    packaged && others.length > 0 ? file(DROP_IN, dropIn(others)) : { kind: 'absent', path: DROP_IN },
    restart.length > 0 ? file(POLKIT_RULE, rule) : { kind: 'absent', path: POLKIT_RULE },
  ];
}

function unit({ root, state }: AgentSettings, user: string, command: readonly string[]): SetupItem {
  const writes = state === OPEN.state ? [root] : [root, state];
  return file(UNIT_FILE, fill('gitfleet-agent.service', { gitfleet: command.map(unitWord).join(' '), user, writes }));
}

const dropIn = (directories: readonly string[]): string =>
  `# Made by \`gitfleet agent install\` from agent.root and agent.state in the settings.\n[Service]\n${writable(directories)}\n`;

const file = (path: string, content: string): SetupItem => ({ kind: 'file', path, content, keep: false });

/** What `agent uninstall` removes: what was made for systemd and polkit, and nothing that a person wrote. */
export const UNINSTALLED: readonly string[] = [UNIT_FILE, DROP_IN, POLKIT_RULE];

/** Below a directory other than `/`, for images and trials. */
export const underPrefix = (prefix: string, path: string): string => join(prefix, path);
