import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Host } from './connect-string.ts';
import type { Address } from './wire/connection-types.ts';
import { createLookUps, type Resolve } from './wire/look-ups.ts';

export interface Addresses {
  /**
   * The next address to try. Rejects if no name of the round could be resolved, and as soon as `signal` (of
   * rotateAddresses) fires.
   */
  next(): Promise<Address>;
  /** How many addresses there are: one name may have several. */
  readonly count: number;
}

interface AddressOptions {
  readonly random: Random;
  readonly clock: Clock;
  /** Ends all pending work. */
  readonly signal: AbortSignal;
  readonly resolve?: Resolve;
}

/**
 * Which address to try next. Each round looks up every name again, to follow changes in DNS, and goes through all
 * addresses of all names in a new random order. The address tried last comes last, because it has just failed.
 * Guarantee: a known address is returned at once, even if the look-up of another name hangs. The other addresses join
 * when their names are resolved, and each look-up has its own deadline (look-ups.ts).
 */
export function rotateAddresses(hosts: readonly Host[], options: AddressOptions): Addresses {
  const { random, clock, signal, resolve = resolveAll } = options;
  const names = [...new Set(hosts.map(({ host }) => host).filter((host) => !isIP(host)))];
  const lookUps = createLookUps(resolve, clock, signal);
  const untried = new Map<string, Address>();
  const seen = new Set<string>();
  let count = hosts.length;
  let last: Address | undefined;

  function offer(host: string, ips: readonly string[]): void {
    for (const { port } of hosts.filter((one) => one.host === host)) {
      for (const ip of ips) {
        const key = `${ip} ${port}`;
        if (!seen.has(key)) untried.set(key, { host, ip, port });
        seen.add(key);
      }
    }
  }

  async function newRound(): Promise<void> {
    if (seen.size > 0) count = seen.size;
    seen.clear();
    for (const { host } of hosts) if (isIP(host)) offer(host, [host]);
    if (names.length === 0) return;
    lookUps.start(shuffle([...names], random), offer);
    // Waits briefly and draws from all names resolved by then, so that a fleet does not prefer the fastest one.
    await lookUps.settled(GATHER_MS);
    if (untried.size === 0) await lookUps.firstOrAll();
  }

  return {
    async next() {
      signal.throwIfAborted();
      if (untried.size === 0) await newRound();
      signal.throwIfAborted();
      const found = draw(untried, last, random);
      if (!found) throw lookUps.failure() ?? new Error('no address');
      last = found;
      return found;
    },
    get count() {
      return Math.max(count, seen.size);
    },
  };
}

const GATHER_MS = 100;

/** Takes one at random; the one tried last only if there is no other. */
function draw(untried: Map<string, Address>, last: Address | undefined, random: Random): Address | undefined {
  const all = [...untried];
  const others = all.filter(([, address]) => address.ip !== last?.ip || address.port !== last?.port);
  const from = others.length > 0 ? others : all;
  const [key, address] = from[from.length > 1 ? Math.floor(random() * from.length) : 0] ?? [];
  if (key !== undefined) untried.delete(key);
  return address;
}

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
