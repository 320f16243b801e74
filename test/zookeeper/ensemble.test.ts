import { expect, it } from 'vitest';
import { systemClock as clock } from '../../runtime/clock.ts';
import { acquireLock } from '../../zookeeper/recipes/lock.ts';
import { realServers } from '../support/zookeeper/server.ts';
import { sessionsForTest } from '../support/zookeeper/session.ts';

/* GITFLEET_SOAK=1 runs the long form. */
const KILLS = process.env['GITFLEET_SOAK'] ? 20 : 6;
const real = realServers(3);
const open = sessionsForTest();
const LONG = { deadlineMs: 60_000 };
const backoff = { firstMs: 50, maxMs: 1_000 };
const bytes = (text: string) => Buffer.from(text);

it(`${KILLS} leaders killed under writes: no acknowledged write lost, no lock held twice, watchers end at the last value`, {
  timeout: 60_000 + KILLS * 15_000,
}, async () => {
  const sessions = Array.from({ length: 8 }, () => open(real.connect(), { sessionTimeoutMs: 6_000, backoff }));
  const [admin] = sessions as [(typeof sessions)[0]];
  for (const path of ['/acked', '/lock']) await admin.ensure(path);
  for (const path of ['/counter', '/ledger']) await admin.create(path, bytes('0'), 'persistent');
  const stop = new AbortController();
  const watched = new AbortController();
  const acked: string[] = [];
  const held: { fence: bigint; mzxid: bigint }[] = [];
  const last = new Map<number, string>();
  let counted = 0;

  /** Every node that was acknowledged must be there in the end. */
  async function create(writer: number): Promise<void> {
    const session = sessions[writer] as (typeof sessions)[0];
    for (let n = 0; !stop.signal.aborted; n++) {
      acked.push(await session.create(`/acked/w${writer}-${n}`, bytes(`${writer} ${n}`), 'persistent', LONG));
    }
  }

  /** Every count that was acknowledged is one more version. */
  async function count(): Promise<void> {
    const session = sessions[2] as (typeof sessions)[0];
    for (let version = 0; !stop.signal.aborted; counted++) {
      version = (await session.set('/counter', bytes(String(version + 1)), version, LONG)).version;
    }
  }

  /** Writes under the lock, in the order in which the servers took them, show whether two held it at a time. */
  async function contend(who: number): Promise<void> {
    const session = sessions[who] as (typeof sessions)[0];
    while (!stop.signal.aborted) {
      const lock = await acquireLock(session, { path: '/lock', signal: stop.signal }).catch(() => undefined);
      if (!lock) continue;
      for (let n = 0; n < 3 && !lock.signal.aborted; n++) {
        const set = { op: 'set', path: '/ledger', data: bytes(`${lock.fence} ${n}`), version: -1 } as const;
        const done = await session.transact([lock.guard, set], LONG).catch(() => undefined);
        if (done?.[1]?.stat) held.push({ fence: lock.fence, mzxid: done[1].stat.mzxid });
      }
      await lock.release();
    }
  }

  async function watch(who: number): Promise<void> {
    const session = sessions[who] as (typeof sessions)[0];
    for await (const snapshot of session.watch('/counter', { signal: watched.signal })) {
      last.set(who, snapshot.exists ? snapshot.data.toString() : 'gone');
    }
  }

  const work = [create(0), create(1), count(), contend(3), contend(4), contend(5)];
  const watching = [watch(6), watch(7)];
  for (let kill = 0; kill < KILLS; kill++) {
    await clock.sleep(300);
    const before = [acked.length, held.length, counted];
    await (await real.leader()).restart();
    // The next one only once everything moves again.
    await expect
      .poll(() => [acked.length, held.length, counted].every((now, at) => now > (before[at] as number) + 3), {
        timeout: 60_000,
      })
      .toBe(true);
  }
  stop.abort(new DOMException('enough', 'AbortError'));
  await Promise.all(work);

  await admin.catchUp('/');
  const names = new Set(await admin.children('/acked'));
  expect(acked.filter((path) => !names.has(path.slice('/acked/'.length)))).toEqual([]);
  expect((await admin.get('/counter'))?.data.toString()).toBe(String(counted));
  expect(held.length).toBeGreaterThan(KILLS);
  const inServerOrder = held.toSorted((a, b) => Number(a.mzxid - b.mzxid)).map(({ fence }) => fence);
  expect(inServerOrder).toEqual(inServerOrder.toSorted((a, b) => Number(a - b)));

  // The same streams that lived through it all.
  await expect.poll(() => [...last.values()], { timeout: 30_000 }).toEqual([String(counted), String(counted)]);
  watched.abort();
  await Promise.all(watching);
});
