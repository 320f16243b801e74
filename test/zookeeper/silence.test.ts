import { afterEach, describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { Session, SessionState } from '../../zookeeper/session.ts';
import { proxiesForTest } from '../support/proxy.ts';
import { realServers } from '../support/zookeeper/server.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';

/*
 * What the bare client never notices: a path or a server that falls silent while TCP stays up.
 */
const SESSION_MS = 6_000;
const real = realServers(3);
const open = sessionsForTest();
const proxied = proxiesForTest();
const bytes = (text: string) => Buffer.from(text);

afterEach(() => {
  for (const server of real.servers) server.kill('SIGCONT');
});

/** When the session enters each state, in ms from now. */
function stopwatch(session: Session): (state: SessionState) => Promise<number> {
  const start = clock.monotonic();
  const seen = new Map<SessionState, number>();
  session.onState((state) => void (seen.has(state) || seen.set(state, clock.monotonic() - start)));
  return async (state) => {
    await expect.poll(() => seen.has(state), { timeout: 4 * SESSION_MS, interval: 10 }).toBe(true);
    return seen.get(state) as number;
  };
}

describe('a silent path', () => {
  it('suspends within 2/3 of the timeout, and the same session goes on at a healthy server', async () => {
    const broken = await proxied(real.first.port);
    const healthy = await proxied(real.servers[1]?.port as number);
    await healthy.mode('refuse');
    const session = open(`${broken.connect},${healthy.connect}`, { sessionTimeoutMs: SESSION_MS });
    const before = await session.connected();
    await session.create('/kept', bytes('mine'), 'ephemeral');
    await healthy.mode('pass');

    const when = stopwatch(session);
    await broken.mode('drop');
    expect(await when('suspended')).toBeLessThanOrEqual((SESSION_MS * 2) / 3);
    expect(before.signal.aborted).toBe(true);
    expect(await when('connected')).toBeLessThanOrEqual(SESSION_MS + 5_000);
    const after = await session.connected();
    expect([after.generation, after.sessionId]).toEqual([before.generation, before.sessionId]);
    expect(after.signal.aborted).toBe(false);
    expect((await session.exists('/kept'))?.ephemeralOwner).toBe(before.sessionId);
  });

  it('is lost by our own count where no server can confirm it, and the session that outlived it keeps its number', async () => {
    const path = await proxied(real.first.port);
    const session = open(path.connect, { sessionTimeoutMs: 2_000 });
    const before = await session.connected();
    const when = stopwatch(session);
    await path.mode('drop');
    const suspended = await when('suspended');
    const lost = await when('lost');
    expect(lost).toBeLessThanOrEqual(2_000 + 500);
    expect(lost).toBeGreaterThan(suspended);
    await path.mode('pass');
    await when('connected');
    const after = await session.connected();
    const same = after.sessionId === before.sessionId;
    expect(after.generation).toBe(same ? 1 : 2);
  });
});

describe('a frozen server', () => {
  it('suspends within 2/3 of the timeout, and the same session goes on at a healthy one', async () => {
    const frozen = await real.follower();
    const others = real.servers.filter((server) => server !== frozen);
    const gates = await Promise.all(others.map((server) => proxied(server.port)));
    await Promise.all(gates.map((gate) => gate.mode('refuse')));
    const kept = open([`127.0.0.1:${frozen.port}`, ...gates.map((gate) => gate.connect)].join(), {
      sessionTimeoutMs: SESSION_MS,
    });
    const before = await kept.connected();
    await kept.create('/frozen', bytes('mine'), 'ephemeral');
    await Promise.all(gates.map((gate) => gate.mode('pass')));

    const when = stopwatch(kept);
    frozen.kill('SIGSTOP');
    expect(await when('suspended')).toBeLessThanOrEqual((SESSION_MS * 2) / 3);
    expect(await when('connected')).toBeLessThanOrEqual(SESSION_MS + 5_000);
    expect((await kept.connected()).sessionId).toBe(before.sessionId);
    expect((await kept.exists('/frozen'))?.ephemeralOwner).toBe(before.sessionId);
    frozen.kill('SIGCONT');
  });
});

describe('a host that accepts and stays silent', () => {
  it('does not keep the session from the next host, and answers no call wrongly', async () => {
    const silent = await proxied(real.first.port);
    await silent.mode('drop');
    const when = clock.monotonic();
    const session = open(`${silent.connect},127.0.0.1:${real.first.port}`, { sessionTimeoutMs: SESSION_MS });
    await session.connected();
    expect(clock.monotonic() - when).toBeLessThanOrEqual(SESSION_MS + 5_000);
    expect(await session.exists('/')).not.toBeNull();
  });

  it('answers every waiting call at its deadline, with outcome none', async () => {
    const silent = await proxied(real.first.port);
    await silent.mode('drop');
    const session = open(silent.connect, { sessionTimeoutMs: SESSION_MS });
    const calls = [
      session.get('/', { deadlineMs: 300 }),
      session.create('/x', bytes(''), 'persistent', { deadlineMs: 300 }),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'DEADLINE', outcome: 'none', next: 'retry' },
      });
    }
    expect(session.state).toBe('connecting');
  });
});
