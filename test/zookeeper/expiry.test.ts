import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { digestId } from '../../zookeeper/acl.ts';
import type { LocalServers } from '../../zookeeper/local/servers.ts';
import { joinMembership } from '../../zookeeper/recipes/membership.ts';
import { openProxy } from '../support/proxy.ts';
import { expire, next, sessionsForTest } from '../support/zookeeper/session.ts';
import { sharedServer } from '../support/zookeeper/shared.ts';
import { startServersForTest } from '../support/zookeeper/start.ts';

const real = sharedServer();
const open = sessionsForTest();
const bytes = (text: string) => Buffer.from(text);
const wide = { timeout: 20_000 };
const own: LocalServers[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const servers of own.splice(0)) await servers.stop();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

describe('after its session expired', () => {
  it('a new generation follows, with the old signal fired, and watches go on', async () => {
    const session = open(real.connect());
    const before = await session.connected();
    await session.create('/kept', bytes('1'), 'persistent');
    await session.create('/eph', bytes(''), 'ephemeral');
    const stop = new AbortController();
    const stream = session.watch('/kept', { signal: stop.signal })[Symbol.asyncIterator]();
    await next(stream);

    await expire(session, real.connect());
    await expect.poll(() => before.signal.aborted, wide).toBe(true);
    await expect.poll(() => session.vitals().generation, wide).toBe(2);
    expect(session.told.states).toEqual(['connected', 'suspended', 'lost', 'connected']);
    expect((await session.connected()).sessionId).not.toBe(before.sessionId);
    expect(await session.exists('/eph')).toBeNull();
    await open(real.connect()).set('/kept', bytes('2'), 0);
    expect(await next(stream)).toMatchObject({ exists: true, data: bytes('2') });
    stop.abort();
  });

  it('its credential is there before the first request of the new session, ten times', async () => {
    const credential = 'agent:secret';
    const acl = [{ scheme: 'digest', id: digestId('agent', 'secret'), permissions: 'cdrwa' }];
    const backoff = { firstMs: 1, maxMs: 20 };
    const session = open(real.connect(), { auth: [{ scheme: 'digest', credential }], defaultAcl: acl, backoff });
    await session.create('/guarded', bytes('0'), 'persistent'); // The very first request.
    for (let version = 0; version < 10; version++) {
      const waiting = expire(session, real.connect());
      expect((await session.set('/guarded', bytes('x'), version, { deadlineMs: 20_000 })).version).toBe(version + 1);
      await waiting;
      await expect.poll(() => session.vitals().generation, wide).toBe(version + 2);
    }
    await expect(open(real.connect()).get('/guarded')).rejects.toMatchObject({ code: 'NO_AUTH', next: 'stall' });
  });
});

describe('an ensemble whose data were wiped', () => {
  it('is recovered from, with a warning, and what we keep alive is made again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gitfleet-wiped-'));
    folders.push(folder);
    const servers = await startServersForTest(1, folder);
    own.push(servers);
    const [server] = servers.servers;
    const session = open(servers.connectString);
    await session.ensure('/online');
    for (let n = 0; n < 50; n++) await session.create(`/online/filler-${n}`, bytes(''), 'persistent');
    const stop = new AbortController();
    const stream = session.watch('/online/filler-0', { signal: stop.signal })[Symbol.asyncIterator]();
    expect(await next(stream)).toMatchObject({ exists: true });
    const identity = { instanceId: 'i', machineId: 'm' };
    const data = () => bytes(JSON.stringify(identity));
    const options = { path: '/online/me', ...identity, data, clock, random, log: session.told.log };
    const member = joinMembership(session, options);
    await expect.poll(() => member.held(), wide).toBe(true);

    await server?.stop();
    await server?.wipe();
    await server?.start();
    expect(await next(stream)).toEqual({ exists: false });
    expect(session.told.lines.some((line) => line['code'] === 'ENSEMBLE_WENT_BACK' && line['level'] === 'warn')).toBe(
      true,
    );
    expect(session.vitals()).toMatchObject({ incarnation: 2, generation: 2 });
    await session.ensure('/online');
    await expect.poll(() => member.held(), wide).toBe(true);
    await session.create('/online/filler-0', bytes('new'), 'persistent');
    expect(await next(stream)).toMatchObject({ exists: true, data: bytes('new') });
    stop.abort();
    await member.leave();
  });

  it('is told from one that was only away: the session and its ephemeral are still there', async () => {
    const path = await openProxy(real);
    const session = open(path.connect, { sessionTimeoutMs: 20_000 });
    const before = await session.connected();
    await session.create('/still', bytes(''), 'ephemeral');
    await path.mode('refuse');
    await expect.poll(() => session.state, wide).toBe('suspended');
    await path.mode('pass');
    const after = await session.connected();
    expect([after.generation, after.sessionId]).toEqual([1, before.sessionId]);
    expect((await session.exists('/still'))?.ephemeralOwner).toBe(before.sessionId);
    expect(session.vitals().incarnation).toBe(1);
    await session.close();
    await path.stop();
  });
});
