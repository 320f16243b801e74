import { FleetError } from '../runtime/errors.ts';
import { shellWord } from '../runtime/shell-word.ts';
import { parseRelativePath } from '../schemas/relative-path.ts';
import { ANY_URL } from '../schemas/target.ts';
import { parseUrl } from '../schemas/url.ts';
import type { RelativePath, RepositoryUrl } from '../schemas/values.ts';
import { isBranchPattern } from './branch-pattern.ts';

/**
 * Whether pushes are checked before git accepts them. Without an answer, `lenient` accepts with a warning and `strict`
 * refuses.
 */
export type Gate = 'lenient' | 'strict';

/**
 * What one `hook install` set. It is in the repository's own git config, in a section named after branch and app, which
 * identify the installation.
 */
export interface HookSettings {
  readonly zookeeper: string;
  readonly app: string;
  /** A plain name or a pattern (branch-pattern.ts). */
  readonly branch: string;
  readonly relativePath: RelativePath;
  /** The url under which the agents reach this repository. */
  readonly url: RepositoryUrl;
  /** The hook's ZooKeeper credential; null for an open app. */
  readonly authFile: string | null;
  /** The settings file that was named with --settings. */
  readonly settings: string | null;
  readonly tlsCaFile: string | null;
  readonly tlsCertFile: string | null;
  readonly tlsKeyFile: string | null;
  /** Signs what it publishes, for `audience`; null: it signs nothing. */
  readonly signKey: string | null;
  readonly audience: string | null;
  /** Whether what a push changes goes into ZooKeeper: only over TLS, or in clear too; null: it does not. */
  readonly bundle: 'tls' | 'in-clear' | null;
  /** Null: every push is accepted. */
  readonly gate: Gate | null;
}

/**
 * The gate of a repository, which has one hook file for it: the strictest of its installations; null if none has one.
 */
export function gateOf(hooks: readonly Pick<HookSettings, 'gate'>[]): Gate | null {
  if (hooks.some(({ gate }) => gate === 'strict')) return 'strict';
  return hooks.some(({ gate }) => gate !== null) ? 'lenient' : null;
}

export interface InstalledSettings {
  readonly hooks: readonly HookSettings[];
  /** Sections that are incomplete or wrong: nothing is deployed for them. */
  readonly broken: readonly BrokenSettings[];
}

/** What is still known about a section that is incomplete or wrong. */
export interface BrokenSettings {
  readonly section: string;
  /** From the section's name; null: the name does not say it. */
  readonly branch: string | null;
  readonly app: string | null;
  /** A gate that cannot be read counts as strict, because one was requested. */
  readonly gate: Gate | null;
  readonly failure: FleetError;
}

/** The section of an installation below `gitfleet`. */
export const sectionOf = ({ branch, app }: Pick<HookSettings, 'branch' | 'app'>): string => `${branch} ${app}`;

/**
 * @param members as git lists them, without `gitfleet.`: names of settings in lower case, sections as they were given.
 */
export function hookSettings(members: Readonly<Record<string, string>>): InstalledSettings {
  const sections = new Map<string, Record<string, string>>();
  for (const [name, value] of Object.entries(members)) {
    const dot = name.lastIndexOf('.');
    if (dot < 0) continue;
    const section = name.slice(0, dot);
    sections.set(section, { ...sections.get(section), [name.slice(dot + 1)]: value });
  }
  const hooks: HookSettings[] = [];
  const broken: BrokenSettings[] = [];
  for (const [section, each] of [...sections].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const hook = readSection(each);
    if (hook && sectionOf(hook) === section) hooks.push(hook);
    else broken.push(whatIsLeft(section, each));
  }
  return { hooks, broken };
}

function whatIsLeft(section: string, { gate }: Readonly<Record<string, string>>): BrokenSettings {
  const [, branch, app] = /^([^ ]+) (\/[^ ]*)$/.exec(section) ?? [];
  return {
    section,
    ...(branch !== undefined && app !== undefined && isBranchPattern(branch)
      ? { branch, app }
      : { branch: null, app: null }),
    gate: gate === undefined || gate === 'lenient' ? (gate ?? null) : 'strict',
    failure: wrong(section),
  };
}

function readSection(members: Readonly<Record<string, string>>): HookSettings | null {
  const { zookeeper, app, branch, gate, bundle } = members;
  const path = parseRelativePath(members['relativepath'] ?? '');
  const url = parseUrl(members['url'] ?? '', ANY_URL);
  const signs = (members['signkey'] === undefined) === (members['audience'] === undefined);
  const gated = gate === undefined || gate === 'lenient' || gate === 'strict';
  if (bundle !== undefined && bundle !== 'tls' && bundle !== 'in-clear') return null;
  if (!zookeeper || !app || !isBranchPattern(branch ?? '') || !path.ok || !url.ok || !gated || !signs) return null;
  return {
    ...{ zookeeper, app, branch: branch as string, relativePath: path.relativePath, url: url.url },
    authFile: members['authfile'] ?? null,
    settings: members['settings'] ?? null,
    tlsCaFile: members['tlscafile'] ?? null,
    tlsCertFile: members['tlscertfile'] ?? null,
    tlsKeyFile: members['tlskeyfile'] ?? null,
    signKey: members['signkey'] ?? null,
    audience: members['audience'] ?? null,
    bundle: bundle ?? null,
    gate: gate ?? null,
  };
}

const wrong = (section: string): FleetError =>
  FleetError.of(
    'HOOK_SETTINGS',
    `the settings [gitfleet ${JSON.stringify(section)}] in this repository's git config are incomplete or wrong`,
  );

/** Settings without a flag are passed as variables. */
export const tlsVariables = (hook: HookSettings): Record<string, string> => ({
  ...(hook.tlsCaFile === null ? {} : { GITFLEET_TLS_CA_FILE: hook.tlsCaFile }),
  ...(hook.tlsCertFile === null ? {} : { GITFLEET_TLS_CERT_FILE: hook.tlsCertFile }),
  ...(hook.tlsKeyFile === null ? {} : { GITFLEET_TLS_KEY_FILE: hook.tlsKeyFile }),
});

/** What the hook does, as a command for any shell on this host. */
export function publishCommand(hook: HookSettings, commitId: string): string {
  const variables = Object.entries(tlsVariables(hook)).map(([name, value]) => `${name}=${shellWord(value)}`);
  const words = ['gitfleet', 'publish', commitId, '--url', hook.url, '--relative-path', hook.relativePath];
  words.push('--app', hook.app, '-z', hook.zookeeper);
  if (hook.authFile !== null) words.push('--auth-file', hook.authFile);
  if (hook.settings !== null) words.push('--settings', hook.settings);
  if (hook.signKey !== null && hook.audience !== null)
    words.push('--sign-key', hook.signKey, '--audience', hook.audience);
  if (hook.bundle !== null) words.push('--bundle');
  if (hook.bundle === 'in-clear') words.push('--bundle-in-clear');
  return [...variables, ...words.map(shellWord)].join(' ');
}
