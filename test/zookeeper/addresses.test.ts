import { describe, expect, it } from 'vitest';
import { type Clock, systemClock as clock, type Random } from '../../runtime/clock.ts';
import { rotateAddresses } from '../../zookeeper/addresses.ts';
import { handshakeLimit } from '../../zookeeper/session-loop.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const stop = new AbortController();
const never = () => new Promise<string[]>(() => {});

function rotate(
  names: string[],
  resolve: ((name: string) => Promise<string[]>) | undefined,
  random: Random = () => 0,
  time: Clock = clock,
  signal = stop.signal,
) {
  const hosts = names.map((host) => ({ host, port: 1 }));
  return rotateAddresses(hosts, { random, clock: time, signal, ...(resolve ? { resolve } : {}) });
}

describe('the next address', () => {
  it('goes through every address of every name, once per round, and looks up again each round', async () => {
    let lookups = 0;
    const resolve = async (name: string) => {
      lookups++;
      return name === 'many' ? ['10.0.0.1', '10.0.0.2'] : ['10.0.0.3'];
    };
    const addresses = rotate(['many', 'one'], resolve, () => 0.5);
    for (let round = 1; round <= 3; round++) {
      const ips = [await addresses.next(), await addresses.next(), await addresses.next()].map(({ ip }) => ip);
      expect(ips.toSorted()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
      expect(lookups).toBe(2 * round);
    }
    expect(addresses.count).toBe(3);
  });

  it('never starts a round with the one that just failed', async () => {
    for (let seed = 0; seed < 50; seed++) {
      let drawn = seed;
      const random = () => {
        drawn = (drawn * 16_807 + 11) % 2_147_483_647;
        return drawn / 2_147_483_647;
      };
      const addresses = rotate(['10.0.0.1', '10.0.0.2'], undefined, random);
      await addresses.next();
      const failed = await addresses.next();
      expect((await addresses.next()).ip).not.toBe(failed.ip);
    }
  });

  it('lives with a name that does not resolve as long as another does', async () => {
    const resolve = async (name: string) => {
      if (name === 'gone') throw new Error('ENOTFOUND gone');
      return ['10.0.0.1'];
    };
    const addresses = rotate(['gone', 'here'], resolve);
    expect((await addresses.next()).host).toBe('here');
    await expect(rotate(['gone'], resolve).next()).rejects.toThrow('ENOTFOUND');
  });
});

describe('a name whose look-up hangs', () => {
  const resolve = (name: string) => (name === 'hangs' ? never() : Promise.resolve(['10.0.0.1']));

  it('holds up no address that is known, in any round', async () => {
    const addresses = rotate(['hangs', '10.0.0.9', 'answers'], resolve);
    const began = clock.monotonic();
    const ips = new Set<string>();
    for (let n = 0; n < 6; n++) ips.add((await addresses.next()).ip);
    expect(ips).toEqual(new Set(['10.0.0.1', '10.0.0.9']));
    expect(clock.monotonic() - began).toBeLessThan(2_000);
  });

  it('joins when it is resolved after all', async () => {
    let answer = (_ips: string[]) => {};
    const late = new Promise<string[]>((resolved) => {
      answer = resolved;
    });
    const addresses = rotate(['late', '10.0.0.9'], () => late);
    expect((await addresses.next()).ip).toBe('10.0.0.9');
    answer(['10.0.0.5']);
    await late;
    expect((await addresses.next()).host).toBe('late');
  });

  it('fails by itself after five seconds, with its name, and is not asked for twice at a time', async () => {
    const virtual = createVirtualClock();
    let asked = 0;
    const hangs = () => {
      asked++;
      return never();
    };
    const addresses = rotate(['hangs'], hangs, () => 0, virtual);
    for (let round = 0; round < 3; round++) {
      let failed = '';
      addresses.next().catch((error: Error) => {
        failed = error.message;
      });
      await virtual.run(virtual.monotonic() + 6_000, () => failed !== '');
      expect(failed).toBe('the look-up of hangs was not answered in 5 s');
    }
    expect(asked).toBe(1);
  });

  it('leaves a thread for the disk: no more than three are asked for at a time', async () => {
    const asked: string[] = [];
    const addresses = rotate(['a', 'b', 'c', 'd', 'e', '10.0.0.9'], (name) => {
      asked.push(name);
      return never();
    });
    for (let n = 0; n < 3; n++) await addresses.next();
    expect(asked).toHaveLength(3);
  });

  it('is given up at once when its session is closed', async () => {
    const closing = new AbortController();
    const waiting = rotate(['hangs'], resolve, () => 0, clock, closing.signal).next();
    closing.abort(new DOMException('closed', 'AbortError'));
    await expect(waiting).rejects.toThrow('closed');
  });
});

describe('the limit of a handshake', () => {
  it.each([
    [6_000, 1, 0, 5_000],
    [15_000, 3, 0, 5_000],
    [6_000, 3, 0, 2_000],
    [3_000, 9, 0, 1_000],
    [3_000, 9, 8, 1_000],
    [3_000, 9, 9, 2_000],
    [3_000, 9, 18, 4_000],
    [10_000, 7, 0, 1_429],
    [3_000, 9, 1_000_000, 10_000],
  ])('of a session of %i ms with %i addresses, at attempt %i, is %i ms', (timeoutMs, addresses, attempt, limit) => {
    expect(handshakeLimit(timeoutMs, addresses, attempt)).toBe(limit);
  });
});
