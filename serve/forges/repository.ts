import { matchesPrefix } from '../../schemas/url.ts';

export const FORGE_KINDS = ['github', 'gitlab', 'gitea', 'bitbucket'] as const;
export type ForgeKind = (typeof FORGE_KINDS)[number];

/** One forge as the settings name it. */
export interface ForgeAccount {
  /** The beginning of the urls of its repositories. */
  readonly prefix: string;
  readonly kind: ForgeKind;
  /** Where its REST API is; absent: where this kind of forge has it on the host of `prefix`. */
  readonly api?: string | undefined;
  readonly tokenFile: string;
  readonly environment: string;
}

/** A repository of a forge, by the names that its API uses. */
export interface ForgeRepository {
  readonly account: ForgeAccount;
  /** With a slash at the end. */
  readonly api: URL;
  /** `owner/name`; on GitLab also groups in groups. Each part is plain. */
  readonly path: string;
}

const PART = /^(?!\.{1,2}$)[A-Za-z0-9_.~-]{1,255}$/;

const API: Readonly<Record<ForgeKind, (host: string) => string>> = {
  github: (host) => (host === 'github.com' ? 'https://api.github.com/' : `https://${host}/api/v3/`),
  gitlab: (host) => `https://${host}/api/v4/`,
  gitea: (host) => `https://${host}/api/v1/`,
  bitbucket: () => 'https://api.bitbucket.org/2.0/',
};

/** The kind of a forge that everybody knows by its host. */
const KNOWN: Readonly<Record<string, ForgeKind>> = {
  'github.com': 'github',
  'gitlab.com': 'gitlab',
  'codeberg.org': 'gitea',
  'bitbucket.org': 'bitbucket',
};

export const knownKind = (prefix: string): ForgeKind | null => KNOWN[hostOf(prefix)] ?? null;

/** With the port of an https prefix: the service on another port of that host is none that the token is for. */
const apiHostOf = (prefix: string): string =>
  /^https:/.test(prefix) && URL.canParse(prefix) ? new URL(prefix).host : hostOf(prefix);

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : '');

/**
 * The repository of a target on the forge that the settings name for its url; null: none is named, or the url has no
 * repository's shape. The address of the API comes from the settings alone, so a target cannot choose where a token goes.
 */
export function forgeRepositoryOf(url: string, accounts: readonly ForgeAccount[]): ForgeRepository | null {
  const account = accounts
    .filter(({ prefix }) => matchesPrefix(url, prefix))
    .reduce<ForgeAccount | null>(
      (best, each) => (best && best.prefix.length >= each.prefix.length ? best : each),
      null,
    );
  if (account === null || !URL.canParse(url)) return null;
  const parts = new URL(url).pathname.replace(/^\/|\/$|(\.git)?\/?$/g, '').split('/');
  const isRight = account.kind === 'gitlab' ? parts.length >= 2 : parts.length === 2;
  if (!isRight || !parts.every((part) => PART.test(part))) return null;
  const api = account.api ?? API[account.kind](apiHostOf(account.prefix));
  return { account, api: new URL(api.endsWith('/') ? api : `${api}/`), path: parts.join('/') };
}
