import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { FleetError } from '../runtime/errors.ts';
import { isHost } from '../schemas/settings/service-settings.ts';

/** One address of this machine, as the operating system lists it. */
export interface Interface {
  readonly address: string;
  readonly internal: boolean;
}

/** All addresses of this machine. Throws where a sandbox forbids the question (a systemd unit without AF_NETLINK). */
export const networkAddresses = (): Interface[] => Object.values(networkInterfaces()).flatMap((all) => all ?? []);

/**
 * The host under which callers on other machines reach a service of this one: the one of the settings, else the only
 * address of this machine that others can reach. Chosen once per process, so that a registration never changes.
 * @param list returns the addresses of this machine; called only without a setting. It throws if a sandbox hides them.
 * @throws FleetError HOST_UNKNOWN if there is none, or more than one: a guess would send callers to the wrong place.
 */
export function chooseHost(given: string | undefined, list: () => readonly Interface[]): string {
  if (given !== undefined) return checked(given);
  const all = listed(list)
    .filter(({ address, internal }) => !internal && !isLocal(address))
    .map(({ address }) => address);
  const v4 = [...new Set(all.filter((address) => isIP(address) === 4))];
  const found = v4.length > 0 ? v4 : [...new Set(all)];
  if (found.length === 1) return found[0] as string;
  const why = found.length === 0 ? 'this machine has no address that others reach' : `it has ${found.join(', ')}`;
  throw FleetError.of('HOST_UNKNOWN', `no host is set for the service, and ${why}`);
}

function listed(list: () => readonly Interface[]): readonly Interface[] {
  try {
    return list();
  } catch (error) {
    const why = `the system does not list the addresses of this machine: ${(error as Error).message}`;
    throw FleetError.of('HOST_UNKNOWN', `no host is set for the service, and ${why}`);
  }
}

function checked(host: string): string {
  const why = !isHost(host) ? 'is no host name and no address' : isLocal(host) ? 'leads every caller to itself' : null;
  if (why === null) return host;
  throw FleetError.of('HOST_UNKNOWN', `the host ${JSON.stringify(host).slice(0, 200)} ${why}`);
}

/** Loopback, link-local and unspecified addresses, in any spelling. */
function isLocal(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  const v4 = name.startsWith('::ffff:') ? name.slice('::ffff:'.length) : name;
  if (isIP(v4) === 4) return /^(?:127|0)\.|^169\.254\./.test(v4);
  if (isIP(name) === 6) return /^(?:fe[89ab][0-9a-f]:|(?:0{0,4}:){2,7}0{0,3}[01]$|::[01]?$)/.test(name);
  return name === 'localhost' || name.endsWith('.localhost') || name.startsWith('localhost.');
}
