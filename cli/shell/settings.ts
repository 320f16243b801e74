import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { FleetError } from '../../runtime/errors.ts';
import { parseSettings, type Settings } from '../../schemas/settings/settings.ts';
import { MAX_SETTINGS_BYTES, parseSettingsFile } from '../../schemas/settings/settings-file.ts';
import { mergeSettings } from '../../schemas/settings/settings-sources.ts';

const DEFAULT_FILE = '/etc/gitfleet/gitfleet.yml';

interface ReadFrom {
  /** False: a command that works on this server alone must not fail because an address that it never calls is missing. */
  readonly zookeeper?: boolean;
  /** In place of this process's. The default file is then not read either: only what was named counts. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * The settings of this call: flags over GITFLEET_* over the settings file. The default file may be missing, a named one
 * may not. @throws FleetError SETTINGS
 */
export async function readSettings(flags: Readonly<Record<string, unknown>>, from: ReadFrom = {}): Promise<Settings> {
  const environment = from.environment ?? process.env;
  const named = flags['settings'] ?? environment['GITFLEET_SETTINGS'];
  const file = named ? String(named) : from.environment ? null : DEFAULT_FILE;
  const text = file === null ? null : readText(file, Boolean(named));
  const merged = mergeSettings({
    flags,
    environment,
    directory: process.cwd(),
    ...(text === null ? {} : { file: parseSettingsFile(text, String(file)) }),
  });
  if (from.zookeeper === false) merged['zookeeper'] ??= { connect: 'localhost' };
  return parseSettings(merged, hostname());
}

/**
 * A settings file decides what is fetched and run, so only its owner may write it; a pipe or a device is none. A link is
 * none either: whoever may write where it leads would decide. Read at once: it is small, and nothing else can begin before.
 */
function readText(file: string, mustExist: boolean): string | null {
  let descriptor: number;
  try {
    // Without O_NONBLOCK a named pipe would hold us here for ever.
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
    if ((found.mode & 0o002) !== 0)
      throw FleetError.of('SETTINGS', `${file} can be written by everybody (chmod o-w ${file})`);
    if (found.size > MAX_SETTINGS_BYTES)
      throw FleetError.of('SETTINGS', `${file} is larger than ${MAX_SETTINGS_BYTES} bytes`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** Why a file cannot be read, without the call and the name that Node adds: the message names the file already. */
export const unreadableReason = (error: Error): string => error.message.replace(/, \w+(?: '.*')?$/s, '');
