import { dirname, join } from 'node:path';
import type { AgentSettings } from '../../schemas/settings/settings.ts';
import { fill, UNIT_FILE, unitWord, writable } from '../packaging-files.ts';
import { DEFAULT_FILE as SETTINGS_FILE } from '../shell/settings.ts';

/** One thing that a server has once an agent is installed on it. */
export type SetupItem =
  | { readonly kind: 'user'; readonly name: string; readonly home: string }
  /** Owner: the agent's user, or root. What is there keeps its rights. */
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number; readonly ofAgent: boolean }
  /** `keep`: the operator's from its first writing on. */
  | { readonly kind: 'file'; readonly path: string; readonly content: string; readonly keep: boolean }
  | { readonly kind: 'absent'; readonly path: string };

const DROP_IN = `${UNIT_FILE}.d/10-settings.conf`;
export const POLKIT_RULE = '/etc/polkit-1/rules.d/50-gitfleet.rules';
/** What packaged unit and StateDirectory open for writing already. */
const OPEN = { root: '/srv/www', state: '/var/lib/gitfleet' };

interface SetupFacts {
  readonly settings: AgentSettings;
  readonly user: string;
  /** How the unit starts us. */
  readonly command: readonly string[];
  /** The Debian package brought unit, user and directories: only what the settings decide is left. */
  readonly packaged: boolean;
  /** The settings file as it is to be where there is none. */
  readonly template: string;
}

/** What belongs on a server by its settings, in the order in which it is made. Pure. */
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

/** What `agent uninstall` takes away: what was made for systemd and polkit, and nothing that anybody wrote. */
export const UNINSTALLED: readonly string[] = [UNIT_FILE, DROP_IN, POLKIT_RULE];

/** Below another directory than `/`, for images and trials. */
export const underPrefix = (prefix: string, path: string): string => join(prefix, path);
