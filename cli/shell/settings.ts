import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { hostname } from 'node:os';
import { FleetError } from '../../runtime/errors.ts';
import { once } from '../../runtime/once.ts';
import { linkVariables } from '../../schemas/settings/link-variables.ts';
import { parseSettings, type Settings } from '../../schemas/settings/settings.ts';
import { MAX_SETTINGS_BYTES, parseSettingsFile } from '../../schemas/settings/settings-file.ts';
import { mergeSettings, type SettingOrigin, settingOrigins } from '../../schemas/settings/settings-sources.ts';
import { warn } from './terminal.ts';

/** The file that is read if none is named. The Debian package and `agent install` put it there. */
export const DEFAULT_FILE = '/etc/gitfleet/gitfleet.yml';

interface ReadFrom {
  /** False: a command that works only on this server must not fail because an address that it never uses is missing. */
  readonly zookeeper?: boolean;
  /**
   * Used instead of this process's environment. The default file is then not read either: only what was named counts.
   */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * The settings of this call: flags, then a file named with --settings, then GITFLEET_*, then any other file. The
 * default file may be missing; a named one may not. @throws FleetError SETTINGS
 */
export async function readSettings(flags: Readonly<Record<string, unknown>>, from: ReadFrom = {}): Promise<Settings> {
  const merged = mergeSettings(readSources(flags, from));
  if (from.environment === undefined) sayLinks();
  if (from.zookeeper === false) merged['zookeeper'] = { connect: 'localhost', ...(merged['zookeeper'] ?? {}) };
  return parseSettings(merged, hostname());
}

/** Names, in one line and once, variables that look like settings and are not. */
const sayLinks = once(() => {
  const names = linkVariables(process.env);
  if (names.length === 0) return;
  const some = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
  warn(`gitfleet: ${some} ignored: the container platform sets them for a service of that name`);
});

interface Origins {
  readonly origins: readonly SettingOrigin[];
  /** The settings file; null if none is read. */
  readonly file: string | null;
}

/** Where the settings of this call come from. @throws FleetError SETTINGS */
export function readOrigins(flags: Readonly<Record<string, unknown>>): Origins {
  const sources = readSources(flags, {});
  return { origins: settingOrigins(sources), file: sources.file === undefined ? null : sources.name };
}

function readSources(flags: Readonly<Record<string, unknown>>, from: ReadFrom) {
  const environment = from.environment ?? process.env;
  const named = flags['settings'] ?? environment['GITFLEET_SETTINGS'];
  const name = named ? String(named) : from.environment ? null : DEFAULT_FILE;
  const text = name === null ? null : readText(name, Boolean(named));
  return {
    flags,
    environment,
    get directory() {
      return workingDirectory();
    },
    fileIsFlag: flags['settings'] !== undefined,
    name: String(name),
    file: text === null ? undefined : parseSettingsFile(text, String(name)),
  };
}

/**
 * A settings file decides what is fetched and run. So it must belong to root or to the user that reads it, and no other
 * user may write it. A pipe, a device and a link are refused: the owner of the link's target would decide. Read
 * synchronously: it is small, and nothing else can begin before.
 */
function readText(file: string, mustExist: boolean): string | null {
  let descriptor: number;
  try {
    // Without O_NONBLOCK a named pipe would block us for ever.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!mustExist && code === 'ENOENT') return null;
    if (code === 'ELOOP') throw FleetError.of('SETTINGS', `${file} is a symbolic link: name the file that it leads to`);
    throw FleetError.of('SETTINGS', `${file} cannot be read: ${unreadableReason(error as Error)}`);
  }
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw FleetError.of('SETTINGS', `${file} is not a file`);
    refuseForeign(file, found);
    if (found.size > MAX_SETTINGS_BYTES)
      throw FleetError.of('SETTINGS', `${file} is larger than ${MAX_SETTINGS_BYTES} bytes`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** @throws FleetError USAGE if it was removed. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    throw FleetError.of('USAGE', 'the working directory was removed', 'change to another one, or give absolute paths');
  }
}

/** @throws FleetError SETTINGS if another user could determine the content of the file. */
function refuseForeign(file: string, { mode, uid }: Stats): void {
  if ((mode & 0o022) !== 0) {
    const who = (mode & 0o002) !== 0 ? 'every user' : 'its group';
    throw FleetError.of('SETTINGS', `${file} can be written by ${who}`, `chmod go-w ${file}`);
  }
  const me = process.geteuid?.() ?? uid;
  if (uid === 0 || uid === me) return;
  const reason = `${file} belongs to the user with uid ${uid}, and this command runs as uid ${me}`;
  throw FleetError.of('SETTINGS', reason, `run it as that user, or: chown ${me === 0 ? 'root' : me} ${file}`);
}

/** Why a file cannot be read, without the call and the name that Node adds: the message already names the file. */
export const unreadableReason = (error: Error): string => error.message.replace(/, \w+(?: '.*')?$/s, '');
