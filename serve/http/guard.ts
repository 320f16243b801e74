import { isIP } from 'node:net';

/** What a request says about itself, before anything of it is believed. */
export interface Asked {
  /** Where it came in. Only on the unix socket a proxy may name the user. */
  readonly via: 'tcp' | 'socket';
  readonly method: string;
  readonly url: string;
  /** Names in lower case and values in turn, doubles included, as they came. */
  readonly rawHeaders: readonly string[];
}

export interface GuardRules {
  /** Names by which clients may ask, in lower case, besides addresses and localhost. */
  readonly hosts: ReadonlySet<string>;
  /** Origins of the page other than the Host that is asked, such as https://deploy.example.com behind a proxy. */
  readonly origins: ReadonlySet<string>;
  /** The header by which a proxy names the user, in lower case; null: none. */
  readonly userHeader: string | null;
  /** Whether a token is required, where no proxy vouches for the user. */
  readonly hasToken: boolean;
}

export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 421;
  readonly error: string;
  readonly hint: string;
}

/** `public`: no secret is behind it. `token`: the caller must have presented the token; the guard does not read it. */
export type Judged =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'allowed'; readonly path: string; readonly query: string; readonly needs: 'nothing' | 'token' };

/** Answered without a token: the page's own files, which hold nothing of the fleet, and whether the process lives. */
const isPublic = (path: string): boolean => path !== '/metrics' && path !== '/api' && !path.startsWith('/api/');

/**
 * Whether a request may be answered, before its token is compared. Pure. Guarantees: no name that an attacker chose is
 * answered (DNS rebinding), no other page's script is, no path is read in more than one way, nothing but GET and HEAD is
 * done, and a user's name counts only where no client can set it.
 */
export function judgeRequest(asked: Asked, rules: GuardRules): Judged {
  const header = headersOf(asked.rawHeaders);
  const doubled = ['host', 'authorization', 'origin', rules.userHeader].find((name) => name && header(name).length > 1);
  if (doubled) return refuse(400, `two ${doubled} headers`, 'send one');
  const [host] = header('host');
  if (!isOurs(host, rules.hosts)) return refuse(421, 'not a name of this server', 'set serve.url or serve.hosts');
  const [path = '', ...query] = asked.url.split('?');
  if (!isPlain(path)) return refuse(404, 'no such path', 'see /api/v1/openapi.json');
  const [origin] = header('origin');
  if (origin !== undefined && !isOwnOrigin(origin, host as string, rules.origins))
    return refuse(403, 'a page of another origin asks', 'open the page of this server itself');
  const [site] = header('sec-fetch-site');
  if (!isPublic(path) && site !== undefined && site !== 'same-origin' && site !== 'none')
    return refuse(403, 'a page of another origin asks', 'open the page of this server itself');
  if (asked.method !== 'GET' && asked.method !== 'HEAD')
    return refuse(405, 'only GET and HEAD', 'nothing is written here');
  return {
    kind: 'allowed',
    path,
    query: query.join('?'),
    needs: isPublic(path) ? 'nothing' : needOf(asked, rules, header),
  };
}

function needOf({ via }: Asked, rules: GuardRules, header: (name: string) => string[]): 'nothing' | 'token' | never {
  if (via === 'socket' && rules.userHeader !== null) {
    const [user = ''] = header(rules.userHeader);
    return /^[\x20-\x7e]{1,200}$/.test(user.trim()) ? 'nothing' : 'token';
  }
  return rules.hasToken ? 'token' : 'nothing';
}

/** Values by lower-case name. */
function headersOf(raw: readonly string[]): (name: string) => string[] {
  return (name) => raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === name);
}

/** By an address or as localhost, which no page of another origin can make its own, or by a name from the settings. */
function isOurs(host: string | undefined, hosts: ReadonlySet<string>): boolean {
  const name = hostName(host ?? '');
  return name === 'localhost' || isIP(name) !== 0 || hosts.has(name);
}

const hostName = (host: string): string =>
  host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/^\[(.*)\]$/, '$1');

const isOwnOrigin = (origin: string, host: string, origins: ReadonlySet<string>): boolean =>
  origins.has(origin) || origin === `http://${host.toLowerCase()}` || origin === `https://${host.toLowerCase()}`;

/** One spelling per path: no escapes, no empty or dotted segments. Every name that we serve is of these characters. */
const isPlain = (path: string): boolean =>
  path.length <= 500 && (path === '/' || /^(?:\/[A-Za-z0-9_][A-Za-z0-9._~-]*)+$/.test(path));

const refuse = (status: Refusal['status'], error: string, hint: string): Judged => ({
  kind: 'refused',
  refusal: { status, error, hint },
});
