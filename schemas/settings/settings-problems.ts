import * as z from 'zod';
import { FleetError } from '../../runtime/errors.ts';
import { refuse, shown } from '../refusal.ts';
import { suggest } from '../text/suggest.ts';

/** One failure for everything that is wrong with the settings, with what a person should type next. */
export function sayProblems(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): FleetError {
  const reasons = issues.flatMap((issue) => sayIssue(schema, issue));
  return settingsError(reasons, issues.some(isConnect) ? CONNECT_HINT : undefined);
}

const CONNECT_HINT = 'name the ZooKeeper servers: -z HOSTS or GITFLEET_ZOOKEEPER; docs/settings.md lists every setting';
const isConnect = ({ path }: z.core.$ZodIssue): boolean => path.join('.') === 'zookeeper.connect';

export function settingsError(reasons: readonly string[], hint?: string): FleetError {
  return new FleetError(refuse('SETTINGS', reasons, hint).failure);
}

/** Every setting by its dotted name, list items as `credentials[]`. Sections are not settings. */
export function settingNames(schema: z.ZodType, prefix = ''): string[] {
  const inner = bare(schema);
  if (inner instanceof z.ZodArray && bare(inner.element as z.ZodType) instanceof z.ZodObject) {
    return settingNames(inner.element as z.ZodType, `${prefix}[]`);
  }
  if (!(inner instanceof z.ZodObject)) return [prefix];
  return Object.entries(inner.shape).flatMap(([key, value]) =>
    settingNames(value as z.ZodType, prefix === '' ? key : `${prefix}.${key}`),
  );
}

function sayIssue(schema: z.ZodType, issue: z.core.$ZodIssue): string[] {
  const where = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return [`${where || 'the settings'}: ${issue.message}`];
  return issue.keys.map((key) => {
    const meant = suggest(key, keysAt(schema, issue.path)) ?? elsewhere(schema, key);
    const full = where === '' ? key : `${where}.${key}`;
    return `unknown setting ${shown(full)}${meant ? `: did you mean ${meant}?` : ''}`;
  });
}

/** The key, if another section has it. */
function elsewhere(schema: z.ZodType, key: string): string | null {
  return settingNames(schema).find((name) => name.endsWith(`.${key}`)) ?? null;
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at = bare(schema);
  for (const step of path) {
    if (at instanceof z.ZodObject) at = bare(at.shape[String(step)] as z.ZodType);
    else if (at instanceof z.ZodArray) at = bare(at.element as z.ZodType);
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** Without the wrappers for defaults and optional values. */
function bare(schema: z.ZodType): z.ZodType {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodDefault || at instanceof z.ZodPrefault) {
    at = at.unwrap() as z.ZodType;
  }
  return at;
}
