import { shown } from '../refusal.ts';
import { readYaml } from '../text/yaml-text.ts';
import { settingsError } from './settings-problems.ts';

/** A larger file is a mistake, and not worth a parser's memory. */
export const MAX_SETTINGS_BYTES = 256 * 1024;

/**
 * The settings file's text to an unchecked value: YAML 1.2, one document, no duplicate keys, no tags and no aliases,
 * which settings do not need.
 * @throws FleetError SETTINGS with line and column; never with the text around it, which may be a misplaced secret.
 */
export function parseSettingsFile(text: string, name: string): unknown {
  const read = readYaml(text, 'settings', MAX_SETTINGS_BYTES);
  if (read.ok) return read.value;
  throw settingsError(read.problems.map((problem) => `${shown(name)}: ${problem}`));
}
