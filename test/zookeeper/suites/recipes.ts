import { describe, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import type { Candidacy } from '../../../zookeeper/recipes/candidacy.ts';
import { inOrder, whoseTurn } from '../../../zookeeper/recipes/contention.ts';
import { standForElection } from '../../../zookeeper/recipes/election.ts';
import { acquireLock } from '../../../zookeeper/recipes/lock.ts';
import { acquireLease } from '../../../zookeeper/recipes/semaphore.ts';
import type { Session } from '../../../zookeeper/session.ts';
import type { ZooKeeperKit } from '../../support/zookeeper/kit.ts';

export function recipesSuite(kit: ZooKeeperKit): void {
  type OpenSession = ReturnType<ZooKeeperKit['open']>;
  const never = () => new AbortController().signal;
  const wide = { timeout: 30_000 };
  const bytes = (text: string) => Buffer.from(text);
  const backoff = { firstMs: 5, maxMs: 50 };

  async function crowd(size: number, path: string) {
    const sessions = Array.from({ length: size }, () => kit.open(kit.connect(), { backoff }));
    await sessions[0]?.ensure(path);
    return sessions;
  }

  /** Counts who is inside, and remembers the most that ever were. */
  function door() {
    const seen = { inside: 0, most: 0, passed: 0 };
    return {
      seen,
      async pass() {
        seen.inside++;
        seen.most = Math.max(seen.most, seen.inside);
        await clock.sleep(1);
        seen.inside--;
        seen.passed++;
      },
    };
  }

  describe('whose turn it is', () => {
    const names = ['lock-b-0000000007', 'other', 'lock-a-0000000010', 'lease-x-0000000001', 'lock-c-0000000009'];
    it('goes by the server’s number, not by name, and among one kind only', () => {
      expect(inOrder(names, 'lock-')).toEqual(['lock-b-0000000007', 'lock-c-0000000009', 'lock-a-0000000010']);
      expect(whoseTurn(names, 'lock-b-0000000007')).toEqual({ position: 0, before: undefined });
      expect(whoseTurn(names, 'lock-a-0000000010')).toEqual({ position: 2, before: 'lock-c-0000000009' });
    });
    it('is nobody’s whose node is gone', () => {
      expect(whoseTurn(names, 'lock-d-0000000008')).toBeNull();
      expect(whoseTurn([], 'lock-d-0000000008')).toBeNull();
    });
  });

  describe('the lock', () => {
    it('lets fifty contenders through one at a time, in rising fences', async () => {
      const sessions = await crowd(50, '/lock');
      const { seen, pass } = door();
      const fences: bigint[] = [];
      const work = sessions.map(async (session) => {
        const held = await acquireLock(session, { path: '/lock', signal: never() });
        fences.push(held.fence);
        await pass();
        await held.release();
      });
      await Promise.all(work);
      expect(seen).toEqual({ inside: 0, most: 1, passed: 50 });
      expect(fences).toEqual(fences.toSorted((a, b) => Number(a - b)));
      expect(await sessions[0]?.children('/lock')).toEqual([]);
    });

    it('goes on when holders and waiters die or lose their sessions', async () => {
      const sessions = await crowd(20, '/deadly');
      const { seen, pass } = door();
      const [gate] = (await crowd(1, '/deadly')) as [OpenSession];
      const shut = await acquireLock(gate, { path: '/deadly', signal: never() });
      const work = sessions.map(async (session, at) => {
        const held = await acquireLock(session, { path: '/deadly', signal: never() });
        await pass();
        if (at % 4 === 0) return session.close(); // Dies holding it.
        if (at % 4 === 1) {
          await kit.expire(session);
          await expect.poll(() => held.signal.aborted, wide).toBe(true);
        }
        return held.release();
      });
      await expect.poll(async () => (await gate.children('/deadly'))?.length, wide).toBe(21);
      await Promise.all(sessions.filter((_, at) => at % 5 === 3).map((session) => kit.expire(session)));
      await shut.release();
      await Promise.all(work);
      expect([seen.most, seen.passed]).toEqual([1, 20]);
    });

    it('is given up while waiting without leaving a trace', async () => {
      const [first, second] = (await crowd(2, '/given-up')) as [OpenSession, OpenSession];
      const held = await acquireLock(first, { path: '/given-up', signal: never() });
      const stop = new AbortController();
      const waiting = acquireLock(second, { path: '/given-up', signal: stop.signal });
      await expect.poll(async () => (await first.children('/given-up'))?.length, wide).toBe(2);
      stop.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
      await expect.poll(async () => (await first.children('/given-up'))?.length, wide).toBe(1);
      await held.release();
    });

    it('tells its holder at once when the session is suspended or the node removed, and the guard holds', async () => {
      const path = await kit.openLine();
      const [other] = (await crowd(1, '/guarded')) as [OpenSession];
      await other.create('/guarded-value', bytes('0'), 'persistent');
      const session = kit.open(path.connect, { backoff });
      const held = await acquireLock(session, { path: '/guarded', signal: never() });
      const write = { op: 'set', path: '/guarded-value', data: bytes('held'), version: -1 } as const;
      await session.transact([held.guard, write]);
      await path.mode('refuse');
      await expect.poll(() => held.signal.aborted, wide).toBe(true);
      await path.mode('pass');
      await session.connected();
      await other.remove(held.node, -1);
      await expect(session.transact([held.guard, write])).rejects.toMatchObject({ code: 'NO_NODE', failedAt: 0 });
      const again = await acquireLock(session, { path: '/guarded', signal: never() });
      await other.remove(again.node, -1);
      await expect.poll(() => again.signal.aborted, wide).toBe(true);
      await held.release();
      await again.release();
      await session.close();
      await path.stop();
    });

    it('does not hold up a shutdown while no server answers', async () => {
      const path = await kit.openLine();
      await crowd(1, '/shutdown');
      const session = kit.open(path.connect, { backoff });
      const held = await acquireLock(session, { path: '/shutdown', signal: never() });
      await path.mode('refuse');
      await expect.poll(() => session.state, wide).toBe('suspended');
      await held.release();
      await session.close();
      await path.stop();
    });
  });

  describe('the semaphore', () => {
    it('lets fifty contenders through three at a time', async () => {
      const sessions = await crowd(50, '/leases');
      const { seen, pass } = door();
      const work = sessions.map(async (session) => {
        const lease = await acquireLease(session, { path: '/leases', leases: 3, signal: never() });
        await pass();
        await lease.release();
      });
      await Promise.all(work);
      expect(seen.passed).toBe(50);
      expect(seen.most).toBeLessThanOrEqual(3);
      expect(await sessions[0]?.children('/leases')).toEqual([]);
    });

    it('gets the leases of dead holders back', async () => {
      const sessions = await crowd(12, '/dead-leases');
      let held = 0;
      const work = sessions.map(async (session, at) => {
        const lease = await acquireLease(session, { path: '/dead-leases', leases: 2, signal: never() });
        held++;
        if (at % 3 === 0) return session.close();
        if (at % 3 === 1) return kit.expire(session);
        return lease.release();
      });
      await Promise.all(work);
      expect(held).toBe(12);
    });

    it('is given up while waiting, at the head of the queue too', async () => {
      const [first, second, third] = (await crowd(3, '/wait')) as [OpenSession, OpenSession, OpenSession];
      const lease = await acquireLease(first, { path: '/wait', leases: 1, signal: never() });
      const stop = new AbortController();
      const options = { path: '/wait', leases: 1, signal: stop.signal };
      const waiting = Promise.allSettled([acquireLease(second, options), acquireLease(third, options)]);
      await expect.poll(async () => (await first.children('/wait'))?.length, wide).toBe(3);
      stop.abort(new Error('enough'));
      expect((await waiting).map((one) => one.status)).toEqual(['rejected', 'rejected']);
      await expect.poll(async () => (await first.children('/wait'))?.length, wide).toBe(1);
      await lease.release();
    });
  });

  describe('the election', () => {
    const leaders = (candidates: Candidacy[]) => candidates.filter((one) => one.term !== undefined);
    function stand(session: ReturnType<ZooKeeperKit['open']>, path: string, more: { most?: number } = {}): Candidacy {
      return standForElection(session, { path, clock, random, log: session.told.log, lookAgainMs: 200, ...more });
    }

    it('has one leader and at most seven candidates of fifty, through the deaths of leaders', async () => {
      const sessions = await crowd(50, '/election');
      const candidates = sessions.map((session) => stand(session, '/election'));
      await expect.poll(() => leaders(candidates).length, wide).toBe(1);
      const fences: bigint[] = [];
      for (let round = 0; round < 10; round++) {
        await expect.poll(() => leaders(candidates).length, wide).toBe(1);
        const leader = leaders(candidates)[0] as Candidacy;
        fences.push(leader.term?.fence as bigint);
        const at = candidates.indexOf(leader);
        if (round % 3 === 0) await sessions[at]?.close();
        else if (round % 3 === 1) await kit.expire(sessions[at] as Session);
        else await leader.leave();
        await expect
          .poll(() => (leaders(candidates)[0]?.term?.fence ?? 0n) > (fences.at(-1) as bigint), wide)
          .toBe(true);
      }
      const watcher = kit.open(kit.connect());
      await expect.poll(async () => (await watcher.children('/election'))?.length, wide).toBeLessThanOrEqual(7);
      expect(fences).toEqual(fences.toSorted((a, b) => Number(a - b)));
      await Promise.all(candidates.map((one) => one.leave()));
      expect(await watcher.children('/election')).toEqual([]);
    });

    it('is left at any moment, that of being elected included, without a trace', async () => {
      const [session] = (await crowd(1, '/left')) as [OpenSession];
      // The answer that elects it is on its way for some hundredths of a millisecond: sooner or later one hits it.
      for (let turns = 0; turns < 150; turns++) {
        const candidacy = stand(session, '/left');
        if (turns % 3 === 0) await clock.sleep(turns % 10);
        else for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        await candidacy.leave();
        expect(candidacy.term).toBeUndefined();
      }
      expect(await session.children('/left')).toEqual([]);
    });

    it('stands again in front of no node that data which were put back have brought again', async () => {
      const path = await kit.openLine();
      await crowd(1, '/restored');
      const session = kit.open(path.connect, { backoff });
      // Of an earlier place, of which nobody knows any more; and of another candidacy of the same program.
      await session.create('/restored/candidate-', Buffer.alloc(0), 'ephemeral-sequential');
      const [first, second] = [stand(session, '/restored'), stand(session, '/restored')];
      await expect.poll(async () => (await session.children('/restored'))?.length, wide).toBe(3);
      expect(leaders([first, second])).toEqual([]);
      const [, place = ''] = ((await session.children('/restored')) ?? []).toSorted();
      await session.remove(`/restored/${place}`, -1);
      // As at each restore, the connection ends; who waits looks again.
      path.cut();
      await expect.poll(() => leaders([first, second]).length, wide).toBe(1);
      expect(await session.children('/restored')).toHaveLength(2);
      await Promise.all([first.leave(), second.leave()]);
      await session.close();
      await path.stop();
    });

    it('ends the term on suspended and begins it anew, with the same fence, when the session comes back in time', async () => {
      const path = await kit.openLine();
      await crowd(1, '/blip');
      const session = kit.open(path.connect, { backoff });
      const candidacy = stand(session, '/blip');
      await expect.poll(() => candidacy.term?.fence, wide).toBeDefined();
      const first = candidacy.term as NonNullable<Candidacy['term']>;
      const changes: boolean[] = [];
      candidacy.onChange((term) => changes.push(term !== undefined));
      path.cut();
      await expect.poll(() => first.signal.aborted, wide).toBe(true);
      await expect.poll(() => candidacy.term?.fence, wide).toBe(first.fence);
      expect(changes).toEqual([false, true]);
      await candidacy.leave();
      await session.close();
      await path.stop();
    });
  });
}
