import { describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { holdBarrier, releaseBarrier, waitAtBarrier } from '../../../zookeeper/recipes/barrier.ts';
import { acquireSlot, type Slot } from '../../../zookeeper/recipes/slots.ts';
import { ensureWorkQueue, type Item, putItem, takeItem } from '../../../zookeeper/recipes/work-queue.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { SOAK } from '../../support/seeded.ts';
import type { ZooKeeperKit } from '../../support/zookeeper/kit.ts';

/** Barrier, slots and the work queue, on a server as the kit gives it. */
export function workRecipesSuite(kit: ZooKeeperKit): void {
  const never = () => new AbortController().signal;
  const wide = { timeout: 30_000 };
  const bytes = (text: string) => Buffer.from(text);
  const backoff = { firstMs: 5, maxMs: 50 };
  const open = () => kit.open(kit.connect(), { backoff });

  async function crowd(size: number, path: string): Promise<Session[]> {
    const sessions = Array.from({ length: size }, open);
    await sessions[0]?.ensure(path);
    return sessions;
  }

  describe('the barrier', () => {
    it('holds fifty until it is released, and then lets all of them pass', async () => {
      const [holder, ...others] = (await crowd(51, '/gates')) as [Session, ...Session[]];
      const gate = { path: '/gates/load' };
      expect(await holdBarrier(holder, gate, 'persistent')).toBe(true);
      let passed = 0;
      const waiting = others.map(async (session) => {
        await waitAtBarrier(session, gate, never());
        passed += 1;
      });
      await expect.poll(() => others.filter((session) => session.vitals().watchedPaths > 0).length, wide).toBe(50);
      await clock.sleep(50);
      expect(passed).toBe(0);
      expect(await releaseBarrier(holder, gate)).toBe(true);
      await Promise.all(waiting);
      expect(passed).toBe(50);
    });

    it('outlives a holder with a persistent hold, and goes with one that holds by its session', async () => {
      const [first, second, third] = (await crowd(3, '/gates')) as [Session, Session, Session];
      const [persistent, ephemeral] = [{ path: '/gates/p' }, { path: '/gates/e' }];
      await holdBarrier(first, persistent, 'persistent');
      await holdBarrier(first, ephemeral, 'ephemeral');
      expect(await holdBarrier(second, ephemeral, 'ephemeral')).toBe(false);
      await kit.expire(first);
      await waitAtBarrier(third, ephemeral, never());
      const impatient = AbortSignal.timeout(100);
      await expect(waitAtBarrier(third, persistent, impatient)).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(await releaseBarrier(second, persistent)).toBe(true);
      expect(await releaseBarrier(second, persistent)).toBe(false);
      await waitAtBarrier(third, persistent, never());
    });
  });

  describe('the slots', () => {
    it('are held by one member each, of fifty for eight, while holders die and lose their sessions', async () => {
      const sessions = await crowd(50, '/slots');
      const holders = new Map<number, number>();
      const fences = new Map<number, bigint[]>();
      let most = 0;
      let standby = 0;
      const work = sessions.map(async (session, at) => {
        const onStandby = () => {
          standby += 1;
        };
        const held = await acquireSlot(session, { path: '/slots', slots: 8, signal: never(), onStandby });
        holders.set(held.slot, (holders.get(held.slot) ?? 0) + 1);
        most = Math.max(most, holders.get(held.slot) as number);
        fences.set(held.slot, [...(fences.get(held.slot) ?? []), held.fence]);
        do await clock.sleep(2);
        while (fences.size < 8);
        holders.set(held.slot, (holders.get(held.slot) as number) - 1);
        if (at % 4 === 0) return session.close();
        if (at % 4 === 1) return kit.expire(session);
        return held.release();
      });
      await Promise.all(work);
      expect([...fences.keys()].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect([...fences.values()].flat()).toHaveLength(50);
      for (const each of fences.values()) expect(each).toEqual(each.toSorted((a, b) => Number(a - b)));
      expect(most).toBe(1);
      expect(standby).toBeGreaterThan(0);
    });

    it('give the lowest free place, and the next one in the line takes over that of a dead member', async () => {
      const [a, b, c, d] = (await crowd(4, '/shards')) as [Session, Session, Session, Session];
      const told: string[] = [];
      const join = (session: Session, name: string) =>
        acquireSlot(session, { path: '/shards', slots: 2, signal: never(), onStandby: () => told.push(name) });
      const first = await join(a, 'a');
      const second = await join(b, 'b');
      expect([first.slot, second.slot]).toEqual([0, 1]);
      const third = join(c, 'c');
      await expect.poll(() => told, wide).toEqual(['c']);
      const fourth = join(d, 'd');
      await expect.poll(() => told, wide).toEqual(['c', 'd']);
      await kit.expire(a);
      const taken: Slot = await third;
      expect([taken.slot, taken.fence > first.fence]).toEqual([0, true]);
      await expect.poll(() => first.signal.aborted, wide).toBe(true);
      await expect(b.transact([first.guard])).rejects.toMatchObject({ code: 'NO_NODE' });
      await b.transact([taken.guard]);
      await second.release();
      expect((await fourth).slot).toBe(1);
    });
  });

  describe('the queue', () => {
    let count = 0;
    // The fake server is one tree for all cases.
    const fresh = () => ({ path: `/queue-${++count}` });

    it('hands every item to a taker in order, and each comes back until it is done', async () => {
      const [session, queue] = [open(), fresh()];
      await ensureWorkQueue(session, queue);
      const ids = [];
      for (const name of ['a', 'b', 'c']) ids.push(await putItem(session, queue, bytes(name)));
      const first = await takeItem(session, queue, never());
      const second = await takeItem(session, queue, never());
      expect([first, second].map(({ id, data, attempt }) => [id, String(data), attempt])).toEqual([
        [ids[0], 'a', 1],
        [ids[1], 'b', 1],
      ]);
      await first.giveBack();
      const again = await takeItem(session, queue, never());
      expect([again.id, again.attempt]).toEqual([ids[0], 2]);
      for (const item of [again, second]) await item.done();
      expect(String((await takeItem(session, queue, never())).data)).toBe('c');
    });

    it('gives the item of a dead taker to another one, and refuses what the first one does with it', async () => {
      const [first, second, queue] = [open(), open(), fresh()];
      await ensureWorkQueue(first, queue);
      await putItem(first, queue, bytes('x'));
      const item = await takeItem(first, queue, never());
      const next = takeItem(second, queue, never());
      await kit.expire(first);
      const again = await next;
      expect([again.id, again.attempt]).toEqual([item.id, 2]);
      await expect.poll(() => item.signal.aborted, wide).toBe(true);
      await expect(first.transact([item.guard])).rejects.toMatchObject({ code: 'BAD_VERSION' });
      await expect(item.done()).rejects.toMatchObject({ code: 'GIVEN_AWAY', next: 'wait' });
      await item.giveBack();
      await second.transact([again.guard]);
      await again.done();
      await expect(again.done()).rejects.toMatchObject({ code: 'GIVEN_AWAY' });
    });

    it('takes what was done after the session was lost, while no other taker has it', async () => {
      const [session, queue] = [open(), fresh()];
      await ensureWorkQueue(session, queue);
      await putItem(session, queue, bytes('x'));
      const item = await takeItem(session, queue, never());
      await kit.expire(session);
      await expect.poll(() => session.vitals().generation, wide).toBe(2);
      await item.done();
      expect(await session.children(`${queue.path}/items`)).toEqual([]);
    });

    it('refuses a put when it is full, and takes one again when it is not', async () => {
      const [session, queue] = [open(), fresh()];
      await ensureWorkQueue(session, queue);
      const small = { ...queue, most: 3 };
      for (let n = 0; n < 3; n++) await putItem(session, small, bytes(String(n)));
      await expect(putItem(session, small, bytes('4'))).rejects.toMatchObject({ code: 'FULL', next: 'retry' });
      await (await takeItem(session, small, never())).done();
      await putItem(session, small, bytes('4'));
    });

    it('moves an item to failed after five tries, and gives out the next one', async () => {
      const [session, queue] = [open(), fresh()];
      await ensureWorkQueue(session, queue);
      const poison = await putItem(session, queue, bytes('poison'));
      const good = await putItem(session, queue, bytes('good'));
      for (let attempt = 1; attempt <= 5; attempt++) {
        const item = await takeItem(session, queue, never());
        expect([item.id, item.attempt]).toEqual([poison, attempt]);
        await item.giveBack();
      }
      expect((await takeItem(session, queue, never())).id).toBe(good);
      expect(await session.children(`${queue.path}/failed`)).toEqual([poison]);
      expect(String((await session.get(`${queue.path}/failed/${poison}`))?.data)).toBe('poison');
    });

    it('is left while waiting without a trace, and what comes too late is given back', async () => {
      const [session, queue] = [open(), fresh()];
      // More than there are turns: at the default of five it would go to failed/.
      const tries = { ...queue, tries: 1_000 };
      await ensureWorkQueue(session, queue);
      for (let turn = 0; turn < 30; turn++) {
        const stop = new AbortController();
        const taking = takeItem(session, tries, stop.signal).then(
          (item) => item.giveBack(),
          () => {},
        );
        if (turn === 10) await putItem(session, tries, bytes('x'));
        await clock.sleep(turn % 5);
        stop.abort(new Error('enough'));
        await taking;
      }
      await expect.poll(() => session.children(`${queue.path}/takers`), wide).toEqual([]);
      expect(String((await takeItem(session, tries, AbortSignal.timeout(10_000))).data)).toBe('x');
    });

    const size = kit.name === 'real' ? (SOAK ? 1_000 : 300) : 100;
    it(`loses none of ${size} items, with fifty takers of which every third dies with what it has`, async () => {
      const [boss, ...takers] = (await crowd(51, '/busy')) as [Session, ...Session[]];
      const busy = { path: '/busy', tries: 1_000 };
      await ensureWorkQueue(boss, busy);
      const put = new Set<string>();
      for (let n = 0; n < size; n++) put.add(await putItem(boss, busy, bytes(String(n))));
      const stop = new AbortController();
      const done: string[] = [];
      const killed = new Set<string>();
      const work = takers.map(async (session, at) => {
        for (let turn = 0; !stop.signal.aborted; turn++) {
          let item: Item;
          try {
            item = await takeItem(session, busy, stop.signal);
          } catch {
            return;
          }
          if (at % 3 === 0 && turn === 0) {
            killed.add(item.id);
            await (at % 2 === 0 ? session.close() : kit.expire(session));
            if (at % 2 === 0) return;
            continue;
          }
          await item.done();
          done.push(item.id);
        }
      });
      await expect.poll(() => done.length, { timeout: 90_000 }).toBe(size);
      stop.abort();
      await Promise.all(work);
      expect(new Set(done)).toEqual(put);
      expect(killed.size).toBeGreaterThan(5);
      expect(await boss.children('/busy/items')).toEqual([]);
      expect(await boss.children('/busy/failed')).toEqual([]);
    });
  });
}
