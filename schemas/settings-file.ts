import { parseDocument } from 'yaml';
import { shown } from './refusal.ts';
import { settingsError } from './settings-problems.ts';

/** More is no settings file but somebody's mistake, and not worth a parser's memory. */
export const MOST_SETTINGS_BYTES = 256 * 1024;

/**
 * The settings file's text to a raw value: YAML 1.2, one document, no key twice, no tags and no aliases, which settings
 * do not need.
 * @throws FleetError SETTINGS with line and column; never with the text around it, which may be a misplaced secret.
 */
export function parseSettingsFile(text: string, name: string): unknown {
  if (Buffer.byteLength(text) > MOST_SETTINGS_BYTES) {
    throw settingsError([`${shown(name)}: larger than ${MOST_SETTINGS_BYTES} bytes`]);
  }
  const document = parseDocument(text, { prettyErrors: true, resolveKnownTags: false });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    throw settingsError(
      problems.map(({ code, linePos }) => {
        const place = linePos ? `line ${linePos[0].line}, column ${linePos[0].col}` : 'somewhere';
        return `${shown(name)}: ${place}: ${code.toLowerCase().replaceAll('_', ' ')}`;
      }),
    );
  }
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    throw settingsError([`${shown(name)}: aliases have no place in settings`]);
  }
}
