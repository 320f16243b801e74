import { FleetError } from '../runtime/errors.ts';
import { parseRelativePath } from '../schemas/relative-path.ts';
import { ANY_URL } from '../schemas/target.ts';
import { parseUrl } from '../schemas/url.ts';
import type { RelativePath, RepositoryUrl } from '../schemas/values.ts';

/** What a hook was told when it was installed; it lives as `gitfleet.*` in its repository's own git config. */
export interface HookSettings {
  readonly zookeeper: string;
  readonly app: string;
  readonly branch: string;
  readonly relativePath: RelativePath;
  /** How the agents reach this repository. */
  readonly url: RepositoryUrl;
  /** Who the hook is to ZooKeeper; null on an open one. */
  readonly authFile: string | null;
  /** The settings file that was named with --settings. */
  readonly settings: string | null;
  readonly tlsCaFile: string | null;
  readonly tlsCertFile: string | null;
  readonly tlsKeyFile: string | null;
}

/** @param members as git tells them: it spells the names of its settings in lower case. @throws FleetError HOOK_SETTINGS */
export function hookSettings(members: Readonly<Record<string, string>>): HookSettings {
  const { zookeeper, app, branch } = members;
  const path = parseRelativePath(members['relativepath'] ?? '');
  const url = parseUrl(members['url'] ?? '', ANY_URL);
  if (zookeeper && app && branch && path.ok && url.ok) {
    return {
      ...{ zookeeper, app, branch, relativePath: path.relativePath, url: url.url },
      authFile: members['authfile'] ?? null,
      settings: members['settings'] ?? null,
      tlsCaFile: members['tlscafile'] ?? null,
      tlsCertFile: members['tlscertfile'] ?? null,
      tlsKeyFile: members['tlskeyfile'] ?? null,
    };
  }
  throw new FleetError({
    code: 'HOOK_SETTINGS',
    reason: "the gitfleet.* settings in this repository's git config are incomplete or wrong",
    hint: 'on the git host run gitfleet hook install again',
    next: 'stall',
  });
}

/** What has no flag is told as a variable. */
export const tlsVariables = (hook: HookSettings): Record<string, string> => ({
  ...(hook.tlsCaFile === null ? {} : { GITFLEET_TLS_CA_FILE: hook.tlsCaFile }),
  ...(hook.tlsCertFile === null ? {} : { GITFLEET_TLS_CERT_FILE: hook.tlsCertFile }),
  ...(hook.tlsKeyFile === null ? {} : { GITFLEET_TLS_KEY_FILE: hook.tlsKeyFile }),
});

/** What the hook does, for a person to type in any shell on this host. */
export function publishCommand(hook: HookSettings, commitId: string): string {
  const variables = Object.entries(tlsVariables(hook)).map(([name, value]) => `${name}=${shellWord(value)}`);
  const words = ['gitfleet', 'publish', commitId, '--url', hook.url, '--relative-path', hook.relativePath];
  words.push('--app', hook.app, '-z', hook.zookeeper);
  if (hook.authFile !== null) words.push('--auth-file', hook.authFile);
  if (hook.settings !== null) words.push('--settings', hook.settings);
  return [...variables, ...words.map(shellWord)].join(' ');
}

/** One word for a shell, quoted where it is not plain. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text);
}

export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
