import { isIPv4, isIPv6 } from 'node:net';
import { ZooKeeperError } from './errors.ts';
import { problemOfPath } from './paths.ts';

export interface Host {
  readonly host: string;
  readonly port: number;
}

interface ConnectString {
  readonly hosts: readonly Host[];
  /** Empty, or the prefix of every path of the session, without a trailing slash. */
  readonly chroot: string;
}

const MAX_HOSTS = 64;

/**
 * Parses `host[:port],host[:port]...[/chroot]`. Blanks around a host are accepted, and a repeated host counts once.
 * Anything else that is unusual is refused with a reason (BAD_CONNECT_STRING), because a client that guesses here would
 * search for its servers forever. IPv6 addresses are in brackets.
 */
export function parseConnectString(text: string): ConnectString {
  const slash = text.indexOf('/');
  const chroot = slash < 0 ? '' : text.slice(slash).trim().replace(/\/+$/, '');
  const problem = chroot === '' ? undefined : problemOfPath(chroot);
  if (problem) throw refused(`the path ${JSON.stringify(chroot)} after the hosts ${problem}`);
  const names = (slash < 0 ? text : text.slice(0, slash)).split(',');
  if (names.length === 1 && names[0]?.trim() === '') throw refused('it names no host');
  if (names.length > MAX_HOSTS) throw refused(`it names ${names.length} hosts, ${MAX_HOSTS} are the most`);
  const hosts = new Map<string, Host>();
  for (const name of names) {
    const host = parseHost(name.trim());
    hosts.set(`${host.host}:${host.port}`, host);
  }
  return { hosts: [...hosts.values()], chroot };
}

function parseHost(text: string): Host {
  const quoted = JSON.stringify(text);
  if (text === '') throw refused('there is a comma without a host');
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text);
  if (!match) throw refused(`${quoted} is no host: an IPv6 address stands in brackets, as in [::1]:2181`);
  const [, bracketed, plain, portText] = match;
  if (bracketed !== undefined && !isIPv6(bracketed)) throw refused(`${quoted} holds no IPv6 address in its brackets`);
  const host = bracketed ?? plain ?? '';
  if (bracketed === undefined && !isIPv4(host) && !isHostName(host)) throw refused(`${quoted} is no host name`);
  const port = portText === undefined ? 2181 : /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65_535) throw refused(`the port of ${quoted} is not a number from 1 to 65535`);
  return { host: host.toLowerCase(), port };
}

/** Letters, digits, dashes, underscores (Docker uses them) and single dots; not only digits and dots. */
function isHostName(host: string): boolean {
  return host.length <= 253 && /^[a-z0-9_]([a-z0-9_-]*)(\.[a-z0-9_-]+)*\.?$/i.test(host) && !/^[\d.]+$/.test(host);
}

function refused(what: string): ZooKeeperError {
  return new ZooKeeperError(
    {
      code: 'BAD_CONNECT_STRING',
      reason: `the ZooKeeper connect string is refused: ${what}`,
    },
    { path: '/', outcome: 'none' },
  );
}
