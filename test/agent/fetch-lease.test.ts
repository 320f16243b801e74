import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createFetchLease, type OriginTurn } from '../../agent/fetch-lease.ts';
import { openAccess, roleAccess } from '../../fleet/access.ts';
import { parseCredentials } from '../../fleet/credentials.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Session } from '../../zookeeper/session.ts';
import { shownCommit, TestFleet } from '../support/fleet.ts';
import { silentLog } from '../support/log.ts';
import { until } from '../support/until.ts';
import { realServers } from '../support/zookeeper-server.ts';
import { sessionsForTest } from '../support/zookeeper-session.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());
const openSession = sessionsForTest();

/** Ten times as fast for what waits, true for what measures. */
const hasty: Clock = { ...systemClock, after: (ms, action) => systemClock.after(ms / 10, action) };
const never = new AbortController().signal;

const open = (auth: { scheme: string; credential: string }[] = []): Session =>
  openSession(fleet.zookeeper, { auth, sessionTimeoutMs: 4_000 });

const lease = (session: Session, leases: number | null, acl = openAccess.of('fetch')) =>
  createFetchLease({ session, path: fleet.znodes.fetch, acl, leases: () => leases, clock: hasty, log: silentLog });

describe('a lease on the origin', () => {
  it('is had by no more at a time than there are, in the end by all, and leaves nothing behind', async () => {
    fleet = await TestFleet.create(servers.connect());
    let [now, most, done] = [0, 0, 0];
    const asks = async (session: Session) => {
      const turn = await lease(session, 2)(never);
      now += 1;
      most = Math.max(most, now);
      await systemClock.sleep(50);
      now -= 1;
      done += 1;
      await turn.release();
    };
    await Promise.all(Array.from({ length: 7 }, () => asks(open())));
    expect({ most, done }).toEqual({ most: 2, done: 7 });
    expect(await fleet.session.children(fleet.znodes.fetch)).toEqual([]);
  });

  it('of a dead holder comes back, a waiting one can be called away, and off means off', async () => {
    fleet = await TestFleet.create(servers.connect());
    const [dies, waits] = [open(), open()];
    await lease(dies, 1)(never);
    const called = new AbortController();
    const reason = new DOMException('something newer', 'AbortError');
    const waiting = lease(waits, 1)(called.signal);
    called.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    const off: OriginTurn = await lease(waits, null)(never);
    await off.release();
    const next = lease(waits, 1)(never);
    await dies.close();
    await (await next).release();
  });

  it('is not worth a deployment: with ZooKeeper away, or refusing, the agent goes without', async () => {
    fleet = await TestFleet.create(servers.connect());
    const session = open();
    await session.connected();
    const nowhere = createFetchLease({
      ...{ session, path: `${fleet.app}/nothing-here`, acl: openAccess.of('fetch') },
      ...{ leases: () => 1, clock: hasty, log: silentLog },
    });
    await (await nowhere(never)).release();
    await servers.first.kill('SIGKILL');
    await (await lease(session, 1)(never)).release();
    await servers.first.restart();
  });

  it('can be had by agents of an app that is closed to strangers', async () => {
    fleet = await TestFleet.create(servers.connect(), '/closed/leases', { open: false });
    const file = (role: string) => join(fleet.directory, 'gitfleet-credentials', `${role}.auth`);
    const parsed = parseCredentials(await readFile(file('agent'), 'utf8'));
    if (!('auth' in parsed) || !parsed.roles) throw new Error('no roles');
    const acl = roleAccess(parsed.roles).of('fetch');
    const [one, two] = [open([...parsed.auth]), open([...parsed.auth])];
    const first = await lease(one, 1, acl)(never);
    expect(await one.children(fleet.znodes.fetch)).toHaveLength(1);
    const second = lease(two, 1, acl)(never);
    await first.release();
    await (await second).release();
    expect(await one.children(fleet.znodes.fetch)).toEqual([]);

    const settings = { agent: { fetchLeases: 1 } };
    const args = ['--auth-file', file('agent')];
    const agents = await fleet.startAgents(2, { args, settings });
    await until('both are online', async () => (await one.children(fleet.znodes.online))?.length === 2);
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    const said = await fleet.publish({ url: origin.url, commitId }, '--auth-file', file('publisher'));
    expect(said).toMatchObject({ exitCode: 0 });
    for (const agent of agents) {
      expect(await shownCommit(agent.root, 'shop')).toBe(commitId);
      expect(await agent.log()).not.toContain('fetching without');
    }
  });
});
