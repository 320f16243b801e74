import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../schemas/duration.ts';
import { parseSettings, settings } from '../../schemas/settings/settings.ts';
import { parseSettingsFile } from '../../schemas/settings/settings-file.ts';
import { settingNames } from '../../schemas/settings/settings-problems.ts';
import { mergeSettings, OTHER_VARIABLES, SETTING_SOURCES } from '../../schemas/settings/settings-sources.ts';

const DOC = readFileSync(join(import.meta.dirname, '../../docs/settings.md'), 'utf8');

interface Row {
  setting: string;
  flag: string;
  variable: string;
  fallback: string;
  example: string;
}

/** `- **name**: meaning`, and below it the facts: default, example, and flag and variable where there are any. */
const ENTRY =
  /^- \*\*`([^`]+)`\*\*: .+ - Default: (.+?)\. Example: `(.+?)`\.(?: Flag: (.+?)\.)?(?: Variable: `(.+?)`\.)?$/;
const unquote = (text = '') => text.replaceAll('`', '');
const entries = DOC.split(/\n(?=- |\n|#)/)
  .filter((text) => text.startsWith('- **'))
  .map((text) => text.replace(/\s+/g, ' '));
const rows: Row[] = entries.map((text) => {
  const [, setting = '', fallback, example, flag, variable] = ENTRY.exec(text) ?? [];
  return {
    setting,
    flag: unquote(flag),
    variable: unquote(variable),
    fallback: unquote(fallback),
    example: unquote(example),
  };
});
const rowOf = (setting: string) => rows.find((row) => row.setting === setting);

/** What `--allow-url` is called in code. */
const camel = (flag: string) => flag.replace(/^--/, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

describe('docs/settings.md', () => {
  it('has an entry for every setting of the schema, and no other', () => {
    expect(entries.filter((text) => !ENTRY.test(text))).toEqual([]);
    expect(rows.map((row) => row.setting).toSorted()).toEqual(settingNames(settings()).toSorted());
  });

  it.each(SETTING_SOURCES)('tells the flag and the variable of $setting', ({ setting, variable, flag }) => {
    expect(rowOf(setting)?.variable).toBe(variable);
    expect(camel(rowOf(setting)?.flag.split(',')[0] ?? '')).toBe(flag ?? '');
  });

  it('tells the true defaults', () => {
    const step = { command: ['x'] };
    const steps = { prepare: step, preActivate: step, activate: step, onRollback: step, onFailure: step };
    const health = { checks: [{ unit: 'x' }] };
    const raw = { zookeeper: { connect: 'needed' }, agent: { ...steps, health, services: [{ name: 'a/b', port: 1 }] } };
    const defaults = flat(parseSettings(raw, 'the-host-name'));
    for (const { setting, fallback } of rows) {
      const value = defaults.get(setting.replace('[]', '.0'));
      if (
        setting === 'zookeeper.connect' ||
        /\.(command|unit|services\[\]\.name|services\[\]\.port|serviceFiles\[\]\.\w+)$/.test(setting)
      )
        expect(fallback).toMatch(/^none/);
      else if (setting === 'agent.id') expect(fallback).toBe('the host name');
      else if (value === undefined) expect(fallback, setting).toMatch(/^none|^the origin|^that of|^$/);
      else
        expect(parseDuration(fallback) ?? fallback, setting).toEqual(
          parseDuration(fallback) === null ? `${value}` : value,
        );
    }
  });

  it.each(SETTING_SOURCES)('gives a legal example of $setting', ({ setting, variable }) => {
    const example = rowOf(setting)?.example.replace(/^\[(.*)\]$/, '$1') ?? '';
    const verify = { target: 'required', audience: 'x', signersFile: '/x' };
    const agent = { activate: { command: ['x'] }, verify };
    const publisher = { audience: 'x', signKey: '/x' };
    const serve = { tokenFile: '/x', socket: '/x' };
    const needed = { zookeeper: { connect: 'x' }, agent: { ...agent, listenTokenFile: '/x' }, publisher, serve };
    const merged = mergeSettings({
      flags: {},
      environment: { ...(setting.startsWith('zookeeper.tls') ? TLS : {}), [variable]: example },
      file: needed,
    });
    expect(() => parseSettings(merged, 'host')).not.toThrow();
  });

  it('starts with a file that the schema takes', () => {
    const text = /```yaml\n([\s\S]*?)```/.exec(DOC)?.[1] ?? '';
    const merged = mergeSettings({ flags: {}, environment: {}, file: parseSettingsFile(text, 'gitfleet.yml') });
    expect(parseSettings(merged, 'host').agent.credentials).toHaveLength(2);
  });

  it('names every other variable that is ours', () => {
    for (const variable of OTHER_VARIABLES) expect(DOC).toContain(`\`${variable}\``);
  });
});

const TLS = { GITFLEET_TLS_CERT_FILE: '/c', GITFLEET_TLS_KEY_FILE: '/k' };

/** Dotted name to value; empty lists and mappings are no value. */
function flat(value: object, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
      key === 'listen' && inner
        ? [[`${prefix}${key}`, `${inner.host}:${inner.port}`]]
        : typeof inner === 'object'
          ? [...flat(inner, `${prefix}${key}.`)]
          : [[`${prefix}${key}`, inner]],
    ),
  );
}
