import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createFetchLease, type OriginTurn } from '../../../agent/coordination/fetch-lease.ts';
import { openAccess, roleAccess } from '../../../fleet/access.ts';
import { parseCredentials } from '../../../fleet/enrolment/credentials.ts';
import { type Clock, systemClock, systemRandom } from '../../../runtime/clock.ts';
import type { RepositoryUrl } from '../../../schemas/values.ts';
import { type AclEntry, ANY_VERSION, type Session } from '../../../zookeeper/session.ts';
import { shownCommit, TestFleet } from '../../support/fleet.ts';
import { startGitDaemon } from '../../support/git/daemon.ts';
import { createOrigin } from '../../support/git/origin.ts';
import { silentLog } from '../../support/log.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';
import { sessionsForTest } from '../../support/zookeeper/session.ts';

const servers = realServers(1);
let fleet: TestFleet;
afterEach(() => fleet.stop());
const openSession = sessionsForTest();

/** Ten times as fast for what waits, true for what measures. */
const hasty: Clock = { ...systemClock, after: (ms, action) => systemClock.after(ms / 10, action) };
/** Where nobody may be taken for one who waits too long: a busy machine is slow. */
const patient: Clock = { ...systemClock, after: (ms, action) => systemClock.after(ms < 10_000 ? ms / 10 : ms, action) };
const never = new AbortController().signal;
const origin = 'https://git.example.com/shop.git' as RepositoryUrl;

const open = (auth: { scheme: string; credential: string }[] = []): Session =>
  openSession(fleet.zookeeper, { auth, sessionTimeoutMs: 4_000 });

/** Where nobody knows how many are online, all queue. */
const lease = (
  session: Session,
  leases: number | null,
  acl = openAccess.of('fetch'),
  online = `${fleet.app}/unknown`,
  clock = hasty,
) =>
  createFetchLease({
    ...{ session, path: fleet.znodes.fetch, online, acl },
    leases: () => leases,
    clock,
    random: systemRandom,
    log: silentLog,
  });

/** How many have been made below this node until now, as the next one's name says. */
async function nextNumber(session: Session, path: string, acl: readonly AclEntry[]): Promise<number> {
  const node = await session.create(`${path}/asks-`, Buffer.alloc(0), 'ephemeral-sequential', { acl });
  await session.remove(node, ANY_VERSION);
  return Number(node.slice(-10));
}

describe('a lease on the origin', () => {
  it('is had by no more at a time than there are, in the end by all, and leaves nothing behind', async () => {
    fleet = await TestFleet.create(servers.connect());
    let [now, most, done] = [0, 0, 0];
    const asks = async (session: Session) => {
      const turn = await lease(session, 2, undefined, undefined, patient)(origin, never);
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
    await lease(dies, 1)(origin, never);
    const called = new AbortController();
    const reason = new DOMException('something newer', 'AbortError');
    const waiting = lease(waits, 1)(origin, called.signal);
    called.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    const off: OriginTurn = await lease(waits, null)(origin, never);
    await off.release();
    const next = lease(waits, 1)(origin, never);
    await dies.close();
    await (await next).release();
  });

  it('is not worth a deployment: with ZooKeeper away, or refusing, the agent goes without', async () => {
    fleet = await TestFleet.create(servers.connect());
    const session = open();
    await session.connected();
    const nowhere = createFetchLease({
      ...{ session, path: `${fleet.app}/nothing-here`, online: `${fleet.app}/nobody`, acl: openAccess.of('fetch') },
      ...{ leases: () => 1, clock: hasty, random: systemRandom, log: silentLog },
    });
    await (await nowhere(origin, never)).release();
    await servers.first.kill('SIGKILL');
    await (await lease(session, 1)(origin, never)).release();
    await servers.first.restart();
  });

  it('is not worth a deployment: with all leases held for ever, the agent goes without after its longest wait', async () => {
    fleet = await TestFleet.create(servers.connect());
    const holder = open();
    for (let n = 0; n < 16; n++) {
      await holder.create(`${fleet.znodes.fetch}/lease-x-`, Buffer.alloc(0), 'ephemeral-sequential');
    }
    const session = open();
    const began = systemClock.monotonic();
    await (await lease(session, 16)(origin, never)).release();
    // The clock of what waits runs ten times as fast.
    const waited = (systemClock.monotonic() - began) * 10;
    expect(waited).toBeGreaterThan(20_000);
    expect(waited).toBeLessThan(150_000);
    await until('nothing of it is left', async () => (await holder.children(fleet.znodes.fetch))?.length === 16);
  });

  it('can be had by agents of an app that is closed to strangers', async () => {
    fleet = await TestFleet.create(servers.connect(), '/closed/leases', { open: false });
    const file = (role: string) => join(fleet.directory, 'gitfleet-credentials', `${role}.auth`);
    const parsed = parseCredentials(await readFile(file('agent'), 'utf8'));
    if (!('auth' in parsed) || !parsed.roles) throw new Error('no roles');
    const acl = roleAccess(parsed.roles).of('fetch');
    const [one, two] = [open([...parsed.auth]), open([...parsed.auth])];
    const first = await lease(one, 1, acl)(origin, never);
    expect(await one.children(fleet.znodes.fetch)).toHaveLength(1);
    const second = lease(two, 1, acl)(origin, never);
    await first.release();
    await (await second).release();
    expect(await one.children(fleet.znodes.fetch)).toEqual([]);

    const settings = { agent: { fetchLeases: 1 } };
    const args = ['--auth-file', file('agent'), '--allow-url', 'git://127.0.0.1'];
    const agents = await fleet.startAgents(2, { args, settings });
    await until('both are online', async () => (await one.children(fleet.znodes.online))?.length === 2);
    const shop = createOrigin(join(fleet.directory, 'shop.git'));
    const commitId = shop.commit({ f: 'a' });
    const daemon = await startGitDaemon(fleet.directory);
    try {
      const url = daemon.url('shop.git');
      const said = await fleet.publish({ url, commitId }, '--auth-file', file('publisher'));
      expect(said).toMatchObject({ exitCode: 0 });
      // Each place in the queue and each lease took a number of its own: both agents were there.
      expect((await one.exists(fleet.znodes.fetch))?.numChildren).toBe(0);
      expect(await nextNumber(one, fleet.znodes.fetch, acl)).toBe(2 * 4);
      for (const agent of agents) {
        expect(await shownCommit(agent.root, 'shop')).toBe(commitId);
        expect(await agent.log()).not.toContain('fetching without');
      }
    } finally {
      await daemon.stop();
    }
  });

  it('is not asked for where no more are online than there are leases', async () => {
    fleet = await TestFleet.create(servers.connect());
    const { online, fetch } = fleet.znodes;
    for (const name of ['web-1', 'web-2'])
      await fleet.session.create(`${online}/${name}`, Buffer.alloc(0), 'persistent');
    const session = open();
    const held = async (leases: number) => {
      const turn = await lease(session, leases, openAccess.of('fetch'), online)(origin, never);
      const names = await fleet.session.children(fetch);
      await turn.release();
      return names;
    };
    expect(await held(2)).toEqual([]);
    expect(await held(1)).toEqual([expect.stringMatching(/^lease-/)]);
  });

  it('is not asked for where the origin is a directory, whose git runs on this server', async () => {
    fleet = await TestFleet.create(servers.connect());
    const session = open();
    const turn = await lease(session, 1)('file:///srv/shop.git' as RepositoryUrl, never);
    expect(await fleet.session.children(fleet.znodes.fetch)).toEqual([]);
    await turn.release();
  });
});
