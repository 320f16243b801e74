import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Random } from '../runtime/clock.ts';
import type { Host } from './connect-string.ts';
import type { Address } from './wire/connection-types.ts';

interface Addresses {
  /** The next address to try; rejects when no name of the round could be resolved. */
  next(): Promise<Address>;
  /** How many the last look-up gave: one name may stand for several servers. */
  readonly count: number;
}

type Resolve = (host: string) => Promise<string[]>;

/**
 * Whom to try next. Each round looks every name up again (so a change in DNS is followed), takes all addresses of a
 * name, and goes through them in a new random order, except that the address tried last comes last: it is the one
 * that just failed us.
 */
export function rotateAddresses(hosts: readonly Host[], random: Random, resolve: Resolve = resolveAll): Addresses {
  let round: Address[] = [];
  let count = hosts.length;
  let last: Address | undefined;

  async function newRound(): Promise<Address[]> {
    const found = await Promise.allSettled(hosts.map(({ host }) => (isIP(host) ? [host] : resolve(host))));
    const addresses = new Map<string, Address>();
    for (const [at, result] of found.entries()) {
      const { host, port } = hosts[at] as Host;
      for (const ip of result.status === 'fulfilled' ? result.value : [])
        addresses.set(`${ip} ${port}`, { host, ip, port });
    }
    const failed = found.find((result) => result.status === 'rejected');
    if (addresses.size === 0) throw failed?.reason ?? new Error('no address');
    count = addresses.size;
    return shuffle([...addresses.values()], random).toSorted(
      (a, b) => Number(isSame(a, last)) - Number(isSame(b, last)),
    );
  }

  return {
    async next() {
      if (round.length === 0) round = await newRound();
      last = round.shift() as Address;
      return last;
    },
    get count() {
      return count;
    },
  };
}

const isSame = (a: Address, b: Address | undefined) => a.ip === b?.ip && a.port === b.port;

async function resolveAll(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function shuffle<T>(items: T[], random: Random): T[] {
  for (let at = items.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [items[at], items[other]] = [items[other] as T, items[at] as T];
  }
  return items;
}
