import type { Code } from '../runtime/codes.ts';
import { type Refused, refuse, shown } from './refusal.ts';
import type { Credential, RepositoryUrl } from './values.ts';

/**
 * Which repository urls git may ever get. A url is accepted in one spelling only (what `new URL` would repair is
 * refused), so that the prefix lists decide about exactly the text that git gets. Nothing that is accepted can be read
 * as an option, a command, a helper (`ext::`) or a credential.
 *
 * https and ssh are allowed; file, http and git only below a listed prefix, and so are loopback and link-local hosts.
 * Names are judged, never resolved: a name that leads to a loopback address is a matter of the allow-list.
 */
export interface UrlPolicy {
  /** Prefixes; an empty list allows nothing. `any`, for callers that do not fetch: every scheme, every host. */
  readonly allow: readonly string[] | 'any';
}

/** The policy of an agent, which fetches: its own list. */
export interface AllowList {
  readonly allow: readonly string[];
}

/** For publishers: each agent decides what it fetches. */
export const ANY_URL: UrlPolicy = { allow: 'any' };

type UrlResult = { ok: true; url: RepositoryUrl } | Refused;

/** Codes, in the order of the checks: URL, SCHEME, CREDENTIALS, HOST, NOT_ALLOWED. */
export function parseUrl(text: string, policy: UrlPolicy): UrlResult {
  const spelled = parseUrlSpelling(text, policy);
  return spelled.ok ? checkAllowed(spelled.url, policy) : spelled;
}

/** parseUrl without the allow-list for schemes and hosts that are valid in general: a target checks that list last. */
export function parseUrlSpelling(text: string, policy: UrlPolicy): UrlResult {
  const split = splitUrl(text);
  if (!split.ok) return split;
  const { parts } = split;
  if (parts.path === '' || parts.path === '/') return bad('URL', `${shown(text)} names no repository on its host`);
  const url = join(parts) as RepositoryUrl;
  if (listed(url, policy)) return { ok: true, url };
  if (parts.scheme === 'file') return bad('URL', `${shown(url)}: file urls are legal only below a listed prefix`, LIST);
  if (parts.scheme !== 'https' && parts.scheme !== 'ssh') {
    return bad('SCHEME', `${shown(url)}: ${parts.scheme} is legal only below a listed prefix`, LIST);
  }
  if (isLocal(parts.host)) {
    return bad('HOST', `${shown(url)}: loopback and link-local hosts are legal only where listed`, LIST);
  }
  return { ok: true, url };
}

export function checkAllowed(url: RepositoryUrl, policy: UrlPolicy): UrlResult {
  if (listed(url, policy)) return { ok: true, url };
  return bad('NOT_ALLOWED', `${shown(url)} is below none of the allowed prefixes`, LIST);
}

/**
 * A prefix of the settings in its one spelling, or why it is not valid. It has at least a host or, for file, a path.
 */
export function parsePrefix(text: string): { ok: true; prefix: string } | Refused {
  const split = splitUrl(text);
  if (!split.ok) return split;
  return { ok: true, prefix: join(split.parts) };
}

/**
 * Whether `url` is at or below `prefix`: same scheme and host, and the path ends or continues at a segment. A prefix
 * without a port covers every port of its host; one without a user, every user. An invalid prefix covers nothing.
 */
export function matchesPrefix(url: string, prefix: string): boolean {
  const one = splitUrl(url);
  const other = splitUrl(prefix);
  if (!one.ok || !other.ok) return false;
  const [u, p] = [one.parts, other.parts];
  if (u.scheme !== p.scheme || u.host !== p.host) return false;
  if (p.port !== '' && portOf(u) !== portOf(p)) return false;
  if (p.user !== '' && u.user !== p.user) return false;
  const base = p.path.replace(/\/$/, '');
  return u.path === base || u.path.startsWith(`${base}/`);
}

/** The longest matching prefix wins, because it is the most specific. */
export function credentialFor(credentials: readonly Credential[], url: string): Credential | undefined {
  const matching = credentials.filter((credential) => matchesPrefix(url, credential.prefix));
  return matching.sort((a, b) => b.prefix.length - a.prefix.length)[0];
}

interface Parts {
  readonly scheme: string;
  readonly user: string;
  readonly host: string;
  readonly port: string;
  /** With its leading slash, or empty. */
  readonly path: string;
}

const KNOWN_SCHEMES = ['https', 'ssh', 'http', 'git', 'file'];
const DEFAULT_PORTS: Record<string, string> = { https: '443', ssh: '22', http: '80', git: '9418' };
const MAX_CHARACTERS = 2_048;
const LEGAL = /^[A-Za-z0-9\-._~/:@%+,=[\]'()]+$/;
const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
/** `user@host:path`, as git and hosting sites write ssh urls. The user distinguishes it from a scheme. */
const SCP = /^([A-Za-z_][A-Za-z0-9_.-]*)@([^:/@[\]]+):(?!\/\/)(.*)$/;
/**
 * Percent codes for characters that need none (`%2e`), for separators and for control bytes: second spellings, or
 * worse.
 */
const BAD_PERCENT = /%(?![0-9A-Fa-f]{2})|%(?:[01].|7f|2[7-9def]|5[cf]|7e|3[0-9]|[46][1-9a-f]|[57][0-9a])/i;

const LIST = 'if agents shall fetch it, list the prefix in their settings (agent.allowUrls, --allow-url)';

function bad(code: Code, reason: string, hint?: string): Refused {
  return refuse(code, `url: ${reason}`, hint);
}

/** Only the grammar, of urls and of prefixes. The result is one spelling, split into its parts. */
function splitUrl(text: string): { ok: true; parts: Parts } | Refused {
  if (text === '') return bad('URL', 'it is empty');
  if (text.length > MAX_CHARACTERS) return bad('URL', `longer than ${MAX_CHARACTERS} characters`);
  const scheme = /^([a-z][a-z0-9+.-]+):(?!:)/.exec(text)?.[1];
  if (scheme !== undefined && !KNOWN_SCHEMES.includes(scheme)) {
    return bad('SCHEME', `${shown(text)}: the scheme is none of ${KNOWN_SCHEMES.join(', ')}`);
  }
  if (!LEGAL.test(text)) return bad('URL', `${shown(text)} has characters that have no place in a repository url`);
  if (BAD_PERCENT.test(text)) return bad('URL', `${shown(text)} has a percent code that is not needed there`);
  const scp = scheme === undefined ? SCP.exec(text) : null;
  // Below a home directory or from the root: hosting sites treat both alike, and we write the second.
  const full = scp ? `ssh://${scp[1]}@${scp[2]}/${(scp[3] as string).replace(/^\//, '')}` : text;
  const whole = /^([a-z]+):\/\/([^/]*)(\/.*)?$/.exec(full);
  if (!whole) return bad('URL', `${shown(text)} is not a full repository url`);
  return splitAuthority(text, whole[1] as string, whole[2] as string, whole[3] ?? '');
}

function splitAuthority(text: string, scheme: string, authority: string, path: string): ReturnType<typeof splitUrl> {
  const at = authority.lastIndexOf('@');
  const user = authority.slice(0, Math.max(0, at));
  if (at >= 0 && (scheme !== 'ssh' || !USER.test(user))) {
    return bad('CREDENTIALS', `${shown(text)} carries a user or a password`);
  }
  const [, host, , port] = /^(\[[0-9a-f:.]*\]|[^:]*)(:(.*))?$/.exec(authority.slice(at + 1)) ?? [];
  if (host === undefined || !isHost(scheme, host)) return bad('URL', `${shown(text)} has no plain host name`);
  if (port !== undefined && !isPort(scheme, port)) return bad('URL', `${shown(text)} has a port that is none`);
  const wrong = wrongPath(path);
  if (wrong) return bad('URL', `${shown(text)} ${wrong}`);
  const parts = { scheme, user, host, port: port ?? '', path };
  // What the standard parser would repair, another parser may repair differently.
  const href = new URL(join(parts)).href;
  if (href !== join(parts) && href !== `${join(parts)}/`)
    return bad('URL', `${shown(text)} is not in its plain spelling`);
  return { ok: true, parts };
}

function join({ scheme, user, host, port, path }: Parts): string {
  return `${scheme}://${user === '' ? '' : `${user}@`}${host}${port === '' ? '' : `:${port}`}${path}`;
}

function isHost(scheme: string, host: string): boolean {
  if (scheme === 'file') return host === '';
  if (host.length > 253 || !(host.startsWith('[') || HOST.test(host))) return false;
  if (/\.\.|\.-|-\.|[^.]{64}/.test(host) && !host.startsWith('[')) return false;
  // The parser reads numbers as addresses (127.1, 0x7f.1) only for https; ssh's resolver does that too.
  return URL.canParse(`https://${host}/`) && new URL(`https://${host}/`).hostname === host;
}

function isPort(scheme: string, port: string): boolean {
  return scheme !== 'file' && PORT.test(port) && Number(port) <= 65_535;
}

/** Empty if the path is plain. It may end with one slash. */
function wrongPath(path: string): string {
  const segments = path.replace(/\/$/, '').split('/').slice(1);
  if (path.startsWith('//') || segments.includes('')) return 'has an empty path segment';
  if (segments.some((segment) => segment === '.' || segment === '..')) return 'has a dot segment';
  if (segments.some((segment) => segment.startsWith('-'))) return 'has a path segment that starts with a dash';
  return /[[\]]/.test(path) ? 'has brackets in its path' : '';
}

function portOf(parts: Parts): string {
  return parts.port === '' ? (DEFAULT_PORTS[parts.scheme] ?? '') : parts.port;
}

function listed(url: string, policy: UrlPolicy): boolean {
  return policy.allow === 'any' || policy.allow.some((prefix) => matchesPrefix(url, prefix));
}

/** Addresses of this machine or its link, where metadata services and unprotected daemons listen. */
function isLocal(host: string): boolean {
  if (/(^|\.)localhost$|^localhost\.localdomain$|^ip6-(localhost|loopback)$/.test(host)) return true;
  if (/^(127|0)\.|^169\.254\./.test(host)) return /^[0-9.]+$/.test(host);
  if (!host.startsWith('[')) return false;
  const address = host.slice(1, -1);
  const v4 = /^::(?:ffff:)?([0-9a-f]{1,4}):[0-9a-f]{1,4}$/.exec(address)?.[1];
  if (v4 !== undefined) return v4 === 'a9fe' || [0x7f, 0].includes(Number.parseInt(v4, 16) >> 8);
  return address === '::' || address === '::1' || /^fe[89ab]/.test(address);
}
