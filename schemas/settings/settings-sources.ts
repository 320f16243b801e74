import { isAbsolute, resolve } from 'node:path';
import { shown } from '../refusal.ts';
import { suggest } from '../text/suggest.ts';
import { isLinkVariable } from './link-variables.ts';
import { settingsError } from './settings-problems.ts';

/**
 * Where settings come from: flags take precedence over GITFLEET_* variables, and those over the settings file, setting
 * by setting. A file that is named on the command line takes precedence over the variables, like a flag: what a person
 * types wins over what is set in the shell. A list in one place replaces the list in another. Pure: the caller reads
 * argv, environment and file.
 */
interface SettingsSources {
  /** With the command line's names in code (`allowUrl`). What is not a setting (`json`, `detach`) is ignored. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The parsed settings file; undefined if there is none. */
  readonly file?: unknown;
  /** Whether the file was named on the command line. */
  readonly fileIsFlag?: boolean;
  /** The directory that relative paths of flags and variables refer to. */
  readonly directory?: string;
}

/**
 * Unchecked, for parseSettings to judge. @throws FleetError SETTINGS for an unknown variable or a file that is not a
 * mapping.
 */
export function mergeSettings(sources: SettingsSources): Record<string, unknown> {
  refuseUnknownVariables(sources.environment);
  const merged = copySections(sources.file);
  for (const row of SETTING_SOURCES) {
    const { from, value } = choose(row, sources);
    if (from !== 'flag' && from !== 'variable') continue;
    const placed = row.kind === 'path' ? absolute(String(value), sources) : value;
    place(merged, row.setting.split('.'), placed);
  }
  return merged;
}

/** Where one setting comes from. `ignored`: a variable that is set and does not count, because a named file sets it. */
export interface SettingOrigin {
  readonly setting: string;
  readonly from: 'flag' | 'variable' | 'file';
  /** `--zookeeper`, `GITFLEET_ZOOKEEPER`; empty for a file. */
  readonly name: string;
  readonly ignored: string | null;
}

/** The origin of each given setting that can be given in several places. */
export function settingOrigins(sources: SettingsSources): SettingOrigin[] {
  return SETTING_SOURCES.flatMap((row) => {
    const { from } = choose(row, sources);
    if (from === null) return [];
    const { setting, variable, flag = '' } = row;
    const isSet = readVariable(row, sources.environment[variable]) !== undefined;
    const name = { flag: `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, variable, file: '' }[
      from
    ];
    return [{ setting, from, name, ignored: from === 'file' && isSet ? variable : null }];
  });
}

function choose(row: SettingSource, sources: SettingsSources) {
  const flag = row.flag === undefined ? undefined : readFlag(row, sources.flags[row.flag]);
  if (flag !== undefined) return { from: 'flag', value: flag } as const;
  const written = isWritten(sources.file, row.setting.split('.'));
  if (written && sources.fileIsFlag) return { from: 'file', value: undefined } as const;
  const value = readVariable(row, sources.environment[row.variable]);
  if (value !== undefined) return { from: 'variable', value } as const;
  return { from: written ? 'file' : null, value: undefined } as const;
}

/** Whether a file has a value there; null counts as none. */
function isWritten(file: unknown, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return file !== undefined && file !== null;
  return isSection(file) && isWritten(file[key], rest);
}

/** The directory is read only if a path needs it: the current directory may have been removed. */
const absolute = (path: string, sources: SettingsSources): string =>
  isAbsolute(path) ? resolve(path) : resolve(sources.directory ?? '/', path);

type Kind = 'switch' | 'text' | 'number' | 'path' | 'list' | 'pairs' | 'program';

interface SettingSource {
  readonly setting: string;
  readonly variable: string;
  /** Absent: changed too rarely to need a flag. */
  readonly flag?: string;
  readonly kind: Kind;
}

/** Settings that are lists of sections (credentials) come only from the file. */
export const SETTING_SOURCES: readonly SettingSource[] = [
  { setting: 'zookeeper.connect', variable: 'GITFLEET_ZOOKEEPER', flag: 'zookeeper', kind: 'text' },
  { setting: 'zookeeper.sessionTimeout', variable: 'GITFLEET_SESSION_TIMEOUT', kind: 'text' },
  { setting: 'zookeeper.authFile', variable: 'GITFLEET_AUTH_FILE', flag: 'authFile', kind: 'path' },
  { setting: 'zookeeper.tls.caFile', variable: 'GITFLEET_TLS_CA_FILE', kind: 'path' },
  { setting: 'zookeeper.tls.certFile', variable: 'GITFLEET_TLS_CERT_FILE', kind: 'path' },
  { setting: 'zookeeper.tls.keyFile', variable: 'GITFLEET_TLS_KEY_FILE', kind: 'path' },
  { setting: 'app', variable: 'GITFLEET_APP', flag: 'app', kind: 'text' },
  { setting: 'agent.id', variable: 'GITFLEET_ID', flag: 'id', kind: 'text' },
  { setting: 'agent.root', variable: 'GITFLEET_ROOT', flag: 'root', kind: 'path' },
  { setting: 'agent.state', variable: 'GITFLEET_STATE', flag: 'state', kind: 'path' },
  { setting: 'agent.labels', variable: 'GITFLEET_LABEL', flag: 'label', kind: 'pairs' },
  { setting: 'agent.allowUrls', variable: 'GITFLEET_ALLOW_URL', flag: 'allowUrl', kind: 'list' },
  { setting: 'agent.verify.target', variable: 'GITFLEET_VERIFY_TARGET', kind: 'text' },
  { setting: 'agent.verify.audience', variable: 'GITFLEET_VERIFY_AUDIENCE', kind: 'text' },
  { setting: 'agent.verify.signersFile', variable: 'GITFLEET_SIGNERS_FILE', kind: 'path' },
  { setting: 'agent.verify.revokedFile', variable: 'GITFLEET_REVOKED_FILE', kind: 'path' },
  { setting: 'agent.verify.commit', variable: 'GITFLEET_VERIFY_COMMIT', kind: 'text' },
  { setting: 'agent.objects', variable: 'GITFLEET_OBJECTS', kind: 'text' },
  { setting: 'agent.activate.command', variable: 'GITFLEET_ACTIVATE', flag: 'activate', kind: 'program' },
  { setting: 'agent.activate.timeout', variable: 'GITFLEET_ACTIVATE_TIMEOUT', kind: 'text' },
  { setting: 'agent.restart', variable: 'GITFLEET_RESTART', kind: 'list' },
  { setting: 'agent.restartTimeout', variable: 'GITFLEET_RESTART_TIMEOUT', kind: 'text' },
  { setting: 'agent.keepReleases', variable: 'GITFLEET_KEEP_RELEASES', kind: 'number' },
  { setting: 'agent.keepFailedReleases', variable: 'GITFLEET_KEEP_FAILED_RELEASES', kind: 'number' },
  { setting: 'agent.releaseGrace', variable: 'GITFLEET_RELEASE_GRACE', kind: 'text' },
  { setting: 'agent.resyncInterval', variable: 'GITFLEET_RESYNC_INTERVAL', kind: 'text' },
  { setting: 'agent.verifyInterval', variable: 'GITFLEET_VERIFY_INTERVAL', kind: 'text' },
  { setting: 'agent.drift', variable: 'GITFLEET_DRIFT', kind: 'text' },
  { setting: 'agent.generated', variable: 'GITFLEET_GENERATED', kind: 'list' },
  { setting: 'agent.shared', variable: 'GITFLEET_SHARED', kind: 'list' },
  { setting: 'agent.passEnvironment', variable: 'GITFLEET_PASS_ENVIRONMENT', kind: 'list' },
  { setting: 'agent.fetchLeases', variable: 'GITFLEET_FETCH_LEASES', kind: 'number' },
  { setting: 'agent.listen', variable: 'GITFLEET_LISTEN', kind: 'text' },
  { setting: 'agent.listenTokenFile', variable: 'GITFLEET_LISTEN_TOKEN_FILE', kind: 'path' },
  { setting: 'agent.content.submodules', variable: 'GITFLEET_SUBMODULES', kind: 'text' },
  { setting: 'agent.content.lfs', variable: 'GITFLEET_LFS', kind: 'text' },
  { setting: 'agent.content.symlinks', variable: 'GITFLEET_SYMLINKS', kind: 'text' },
  { setting: 'agent.content.maxEntries', variable: 'GITFLEET_MAX_ENTRIES', kind: 'number' },
  { setting: 'agent.fetch.stallTimeout', variable: 'GITFLEET_FETCH_STALL_TIMEOUT', kind: 'text' },
  { setting: 'agent.fetch.timeout', variable: 'GITFLEET_FETCH_TIMEOUT', kind: 'text' },
  { setting: 'coordinator.authFile', variable: 'GITFLEET_COORDINATOR_AUTH_FILE', kind: 'path' },
  { setting: 'publisher.url', variable: 'GITFLEET_URL', flag: 'url', kind: 'text' },
  { setting: 'publisher.relativePath', variable: 'GITFLEET_RELATIVE_PATH', flag: 'relativePath', kind: 'text' },
  { setting: 'publisher.timeout', variable: 'GITFLEET_TIMEOUT', flag: 'timeout', kind: 'text' },
  { setting: 'publisher.signKey', variable: 'GITFLEET_SIGN_KEY', flag: 'signKey', kind: 'path' },
  { setting: 'publisher.audience', variable: 'GITFLEET_AUDIENCE', flag: 'audience', kind: 'text' },
  { setting: 'publisher.bundle', variable: 'GITFLEET_BUNDLE', flag: 'bundle', kind: 'switch' },
  {
    setting: 'publisher.bundleInClear',
    variable: 'GITFLEET_BUNDLE_IN_CLEAR',
    flag: 'bundleInClear',
    kind: 'switch',
  },
  { setting: 'serve.listen', variable: 'GITFLEET_SERVE_LISTEN', flag: 'listen', kind: 'text' },
  { setting: 'serve.socket', variable: 'GITFLEET_SERVE_SOCKET', kind: 'path' },
  { setting: 'serve.url', variable: 'GITFLEET_SERVE_URL', kind: 'text' },
  { setting: 'serve.hosts', variable: 'GITFLEET_SERVE_HOSTS', kind: 'list' },
  { setting: 'serve.tokenFile', variable: 'GITFLEET_SERVE_TOKEN_FILE', flag: 'tokenFile', kind: 'path' },
  { setting: 'serve.userHeader', variable: 'GITFLEET_SERVE_USER_HEADER', kind: 'text' },
  { setting: 'log.level', variable: 'GITFLEET_LOG_LEVEL', kind: 'text' },
  { setting: 'log.format', variable: 'GITFLEET_LOG_FORMAT', flag: 'logFormat', kind: 'text' },
];

/**
 * Variables of ours that are not settings: where the file is, who publishes, and the facts that a step gets, which a
 * gitfleet that is called by such a step inherits.
 */
export const OTHER_VARIABLES: readonly string[] = [
  'GITFLEET_SETTINGS',
  'GITFLEET_AUTHOR',
  'GITFLEET_COMMIT',
  'GITFLEET_PREVIOUS_COMMIT',
  'GITFLEET_RELEASE',
  'GITFLEET_LINK',
  'GITFLEET_DEPLOYMENT',
  'GITFLEET_TARGET_VERSION',
  'GITFLEET_STEP',
  'GITFLEET_FAILED_STEP',
  'GITFLEET_FAILED_COMMIT',
  'GITFLEET_FAILED_CODE',
  'GITFLEET_FENCE',
];

function refuseUnknownVariables(environment: SettingsSources['environment']): void {
  const known = [...SETTING_SOURCES.map((row) => row.variable), ...OTHER_VARIABLES];
  const isUnknown = (name: string) =>
    name.startsWith('GITFLEET_') && !known.includes(name) && !isLinkVariable(name, environment);
  const unknown = Object.keys(environment).filter(isUnknown);
  if (unknown.length === 0) return;
  throw settingsError(
    unknown.map((name) => {
      const meant = suggest(
        name.slice('GITFLEET_'.length),
        known.map((each) => each.slice('GITFLEET_'.length)),
      );
      return `unknown variable ${shown(name)}${meant ? `: did you mean GITFLEET_${meant}?` : ''}`;
    }),
  );
}

/** An empty variable counts as not set: compose files and units write that for "none". */
function readVariable({ kind, variable }: SettingSource, text: string | undefined): unknown {
  if (text === undefined || text.trim() === '') return undefined;
  if (kind === 'list') return split(text);
  if (kind === 'pairs') return pairs(split(text), variable);
  if (kind === 'program') return [text];
  if (kind === 'switch') return text === 'true' || text === 'false' ? text === 'true' : text;
  return kind === 'number' ? number(text) : text;
}

function readFlag({ kind, flag }: SettingSource, value: unknown): unknown {
  if (value === undefined) return undefined;
  const list = Array.isArray(value) ? value.map(String) : [String(value)];
  if (kind === 'list') return list;
  if (kind === 'pairs') return pairs(list, `--${flag}`);
  if (kind === 'program') return list;
  return kind === 'number' ? number(String(value)) : value;
}

const split = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '');

/** Text that is not a number is left as it is: the schema then says what it must be. */
const number = (text: string): unknown => (/^\d{1,15}$/.test(text) ? Number(text) : text);

function pairs(words: readonly string[], from: string): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
      throw settingsError([`${from}: ${shown(word)} is no label; write it as role=web`]);
    }),
  );
}

/** A writable copy of the file's sections. A key without a value counts as not written. */
function copySections(file: unknown): Record<string, unknown> {
  if (file === undefined || file === null) return {};
  if (!isSection(file)) throw settingsError(['the settings file holds no mapping of settings']);
  const copied = Object.entries(file).flatMap(([key, value]): [string, unknown][] => {
    if (value === null) return [];
    return [[key, isSection(value) ? copySections(value) : value]];
  });
  return Object.fromEntries(copied);
}

/** If the file has something other than a section there, it is left for the schema to refuse. */
function place(into: Record<string, unknown>, [key, ...rest]: readonly string[], value: unknown): void {
  if (key === undefined) return;
  if (rest.length === 0) into[key] = value;
  else {
    into[key] ??= {};
    const next = into[key];
    if (isSection(next)) place(next, rest, value);
  }
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
