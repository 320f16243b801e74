import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../runtime/clock.ts';
import { openServiceAccess } from '../../services/access.ts';
import { type CallerSide, openCaller } from '../../services/caller.ts';
import { addressText } from '../../services/contract.ts';
import { keepRegistered } from '../../services/registration.ts';
import type { ServiceList } from '../../services/view.ts';
import { keepApplied } from '../../services/write/keep-applied.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import { silentLog as log } from '../support/log.ts';
import { QUICK, SEED, SOAK, seeded } from '../support/seeded.ts';
import { createProcessClock, createVirtualClock, type ProcessClock } from '../support/virtual-clock.ts';
import { createFakeLine } from '../support/zookeeper/fake/line.ts';
import { createFakeServer } from '../support/zookeeper/fake/server.ts';

/* What a whole fleet of instances and its consumers do in an outage, by the fake server, in time that is run. */
const SERVICE = 'shop/web';
const never = new AbortController().signal;
const TIMEOUT_MS = 20_000;
const COUNT = SOAK ? 1_000 : QUICK ? 50 : 200;
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

function world() {
  const clock = createVirtualClock();
  const chance = seeded(SEED);
  const server = createFakeServer(clock);
  const line = createFakeLine({ server, clock, latency: () => 1 + chance.next() });
  const random = chance.next;
  const look = async () => null;
  const sessions: ReturnType<typeof openSession>[] = [];
  const open = (own: Clock = clock) =>
    openSession({
      ...{ connect: '127.0.0.1:1', openLink: line.openLink, sessionTimeoutMs: TIMEOUT_MS, defaultAcl: 'open' as const },
      ...{ clock: own, random, log },
    });
  /** Runs time until the promise has settled; what it waits for besides timers comes in between. */
  async function over<T>(promise: Promise<T>, stepMs = 100): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    promise.then(done, done);
    for (let step = 0; !settled && step < 20_000; step++) {
      await clock.run(clock.monotonic() + stepMs, () => settled);
      await new Promise((resolve) => setTimeout(resolve));
    }
    return await promise;
  }
  async function until(holds: () => boolean, withinMs = 60_000): Promise<boolean> {
    const end = clock.monotonic() + withinMs;
    while (clock.monotonic() < end) {
      if (await clock.run(Math.min(end, clock.monotonic() + 500), holds)) return true;
      await new Promise((resolve) => setTimeout(resolve));
    }
    return false;
  }

  /** An agent with one instance, in a process of its own. */
  function instance(at: number): ProcessClock {
    const own = createProcessClock(clock);
    const session = open(own);
    sessions.push(session);
    const address = { host: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`, port: 80 };
    const registration = keepRegistered({
      ...{ session, service: SERVICE, access: openServiceAccess, agentId: `web-${at}`, machineId: `m${at}`, address },
      ...{ facts: () => ({ commit: null, deployment: null, labels: {} }), clock: own, random, log },
    });
    registration.say('well');
    cleanUp.push(() => own.kill());
    return own;
  }

  /** A proxy that is reloaded for each list that is applied. */
  function writer() {
    const stop = new AbortController();
    const applied: { at: number; list: ServiceList }[] = [];
    const apply = async (list: ServiceList) => {
      applied.push({ at: clock.monotonic(), list });
      return true;
    };
    const parts = { session: open(), service: SERVICE, access: openServiceAccess, id: 'proxy', what: '', apply, look };
    void keepApplied({ ...parts, cacheDirectory: null, clock, random, log }, stop.signal);
    cleanUp.push(() => stop.abort());
    return applied;
  }

  function caller(cacheDirectory: string, id: string): Promise<CallerSide> {
    const parts = { session: open(), service: SERVICE, access: openServiceAccess, id, what: '', cacheDirectory, look };
    return openCaller({ ...parts, clock, random, log }, never);
  }
  return { clock, line, server, sessions, over, until, instance, writer, caller };
}

const addresses = ({ instances }: ServiceList) => instances.map(addressText).toSorted();

describe('an outage', { timeout: 120_000 }, () => {
  it('of ZooKeeper for ten minutes: a consumer that is restarted has the same list from disk, at once and afterwards', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gitfleet-outage-'));
    cleanUp.push(() => rm(directory, { recursive: true, maxRetries: 5 }));
    const { clock, line, over, until, instance, caller } = world();
    for (let at = 1; at <= 6; at++) instance(at);
    const first = await over(caller(directory, 'first'));
    expect(await until(() => first.list.instances.length === 6)).toBe(true);
    const before = addresses(first.list);
    // Nothing changes for more than an hour: what is on disk stays recent all the same.
    await over(clock.sleep(4_000_000), 10_000);
    line.mode('refuse');
    await over(clock.sleep(600_000), 10_000);
    expect(addresses(first.list)).toEqual(before);
    await over(first.close());
    const took: number[] = [];
    let second = first;
    for (let start = 0; start < 5; start++) {
      const begun = performance.now();
      second = await caller(directory, `second-${start}`);
      took.push(performance.now() - begun);
      const { close } = second;
      cleanUp.push(() => over(close()));
      expect(addresses(second.list)).toEqual(before);
    }
    console.log(`the list from disk: ${took.map((ms) => ms.toFixed(1)).join(', ')} ms`);
    expect(Math.min(...took)).toBeLessThan(50);
    const fewest = { now: 6, states: new Set<string>() };
    second.onChange(() => {
      fewest.now = Math.min(fewest.now, second.list.instances.length);
      fewest.states.add(second.list.state);
    });
    line.mode('pass');
    expect(await until(() => second.asOf === null && second.list.state === 'live')).toBe(true);
    expect(fewest.now).toBe(6);
    expect(addresses(second.list)).toEqual(before);
  });

  it('of half the agents, which are frozen: the list is frozen and not emptied, and live when they are back', async () => {
    const { until, instance, writer } = world();
    const agents = Array.from({ length: 20 }, (_, at) => instance(at + 1));
    const applied = writer();
    const newest = () => applied.at(-1)?.list;
    expect(await until(() => newest()?.instances.length === 20)).toBe(true);
    const settled = applied.length;
    for (const agent of agents.slice(0, 10)) agent.freeze();
    expect(await until(() => newest()?.state === 'frozen')).toBe(true);
    expect(newest()?.instances).toHaveLength(20);
    expect(await until(() => newest()?.state !== 'frozen', 300_000)).toBe(false);
    for (const agent of agents) agent.thaw();
    expect(await until(() => newest()?.state === 'live', 300_000)).toBe(true);
    expect(newest()?.instances).toHaveLength(20);
    // The first of them may have been missing for a moment, while they were too few to be a mass.
    const fewest = Math.min(...applied.slice(settled).map(({ list }) => list.instances.length));
    expect(fewest).toBeGreaterThanOrEqual(14);
  });

  it(`that ends ${COUNT} sessions at once: a writer reloads at most once in 2 s, and nothing is missing at the end`, async () => {
    const { clock, server, line, sessions, until, instance, writer } = world();
    for (let at = 1; at <= COUNT; at++) instance(at);
    const applied = writer();
    const newest = () => applied.at(-1)?.list;
    expect(await until(() => newest()?.instances.length === COUNT, 300_000)).toBe(true);
    await until(() => false, 5_000);
    const settled = applied.length;
    const owners = await Promise.all(sessions.map(async (session) => (await session.connected()).sessionId));
    expect(new Set(owners).size).toBe(COUNT);
    // As a server ends them: one after the other, and the reader looks in between.
    for (const owner of owners) {
      server.end(owner);
      line.hangUpOn(owner);
      if (Number(owner) % 10 === 0) await clock.run(clock.monotonic() + 5);
    }
    expect(await until(() => newest()?.state === 'frozen')).toBe(true);
    expect(await until(() => newest()?.state === 'live', 300_000)).toBe(true);
    await until(() => false, 10_000);
    const reloads = applied.slice(settled);
    const gaps = reloads.slice(1).map(({ at }, index) => at - (reloads[index]?.at ?? 0));
    console.log(`${reloads.length} reloads, the shortest gap ${Math.round(Math.min(...gaps))} ms`);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(2_000);
    expect(newest()?.instances).toHaveLength(COUNT);
  });
});
