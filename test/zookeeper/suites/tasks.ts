import { describe, expect, it } from 'vitest';
import { systemClock as clock, systemRandom as random } from '../../../runtime/clock.ts';
import type { Candidacy } from '../../../zookeeper/recipes/candidacy.ts';
import { leadTasks, type TaskLeaderOptions } from '../../../zookeeper/recipes/task-leader.ts';
import { type PerformTask, workOnTasks } from '../../../zookeeper/recipes/task-worker.ts';
import { ensureTasks, submitTask, taskProgress, taskResult } from '../../../zookeeper/recipes/tasks.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { silentLog as log } from '../../support/log.ts';
import type { ZooKeeperKit } from '../../support/zookeeper/kit.ts';

/** The leader, the workers and the results of a list of tasks, on a server as the kit gives it. */
export function tasksSuite(kit: ZooKeeperKit): void {
  const wide = { timeout: 60_000 };
  const bytes = (text: string) => Buffer.from(text);
  const backoff = { firstMs: 5, maxMs: 50 };
  const open = () => kit.open(kit.connect(), { backoff });
  const never = () => new AbortController().signal;
  let count = 0;

  async function list() {
    const session = open();
    const path = `/tasks-${++count}`;
    await ensureTasks(session, { path });
    const leaders: Candidacy[] = [];
    const lead = (of: Session, more: Partial<TaskLeaderOptions> = {}) => {
      const candidacy = leadTasks(of, { path, clock, random, log, lookAgainMs: 100, ...more });
      leaders.push(candidacy);
      return candidacy;
    };
    const stop = new AbortController();
    const working: Promise<void>[] = [];
    const work = (of: Session, perform: PerformTask, capacity = 1, signal = stop.signal) => {
      const done = workOnTasks(of, { path, capacity, signal }, perform).catch((error: unknown) => {
        if (of.state !== 'closed') throw error;
      });
      working.push(done);
      return done;
    };
    const end = async () => {
      stop.abort();
      await Promise.all(working);
      await Promise.all(leaders.map((candidacy) => candidacy.leave()));
    };
    return { session, path, lead, work, end, submit: (text: string) => submitTask(session, { path }, bytes(text)) };
  }

  const upper: PerformTask = async ({ data }) => bytes(String(data).toUpperCase());

  describe('a list of tasks', () => {
    it('is given out by the leader, reported on by the worker, and its results are kept', async () => {
      const { session, path, lead, work, end, submit } = await list();
      const id = await submit('a');
      let proceed = () => {};
      const held = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      lead(open());
      void work(open(), async ({ data, attempt, progress }) => {
        await progress('half of it');
        await held;
        return bytes(`${data} at ${attempt}`);
      });
      const worker = expect.stringMatching(/^worker-/);
      await expect
        .poll(() => taskProgress(session, { path }), wide)
        .toEqual([{ id, worker, attempt: 1, progress: 'half of it' }]);
      proceed();
      expect(await taskResult(session, { path }, id, never())).toEqual({ id, done: true, data: bytes('a at 1') });
      for (const folder of ['tasks', 'claims']) expect(await session.children(`${path}/${folder}`)).toEqual([]);
      await end();
    });

    it('waits without a leader, and without a worker', async () => {
      const { session, path, lead, work, end, submit } = await list();
      const id = await submit('a');
      const [leader, worker] = [open(), open()];
      void work(worker, upper);
      await clock.sleep(100);
      expect(await taskProgress(session, { path })).toMatchObject([{ id, worker: null, attempt: 0 }]);
      lead(leader);
      expect((await taskResult(session, { path }, id, never())).data).toEqual(bytes('A'));
      await end();
    });

    it('goes to another worker when one gives it back, and is given up after its attempts', async () => {
      const { session, path, lead, work, end, submit } = await list();
      lead(open(), { attempts: 3 });
      const tried: number[] = [];
      void work(open(), async ({ attempt }) => {
        tried.push(attempt);
        throw new Error(`no luck at ${attempt}`);
      });
      const id = await submit('a');
      const result = await taskResult(session, { path }, id, never());
      expect([result.done, JSON.parse(String(result.data))]).toEqual([false, { attempts: 3, reason: 'no luck at 3' }]);
      expect(tried).toEqual([1, 2, 3]);
      await end();
    });

    it('is taken from a worker that says nothing, whose result is then refused', async () => {
      const { session, path, lead, work, end, submit } = await list();
      lead(open(), { stalledAfterMs: 200 });
      let proceed = () => {};
      const slow = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      const told: unknown[] = [];
      void work(open(), async (task) => {
        task.signal.addEventListener('abort', () => told.push(task.signal.reason));
        await slow;
        await task.progress('too late').catch((error: unknown) => told.push(error));
        return bytes('late');
      });
      const id = await submit('a');
      await expect.poll(async () => (await taskProgress(session, { path }))[0]?.attempt, wide).toBe(1);
      void work(open(), upper);
      expect((await taskResult(session, { path }, id, never())).data).toEqual(bytes('A'));
      await expect.poll(() => told.length, wide).toBe(1);
      proceed();
      await end();
      expect(told).toMatchObject([{ code: 'GIVEN_AWAY' }, { code: 'GIVEN_AWAY' }]);
      expect(await session.children(`${path}/results`)).toEqual([id]);
      expect((await session.get(`${path}/results/${id}`))?.data).toEqual(bytes('A'));
    });

    it('does not count the try that the end of a worker cuts short', async () => {
      const { session, path, lead, work, end, submit } = await list();
      lead(open(), { attempts: 1 });
      const stop = new AbortController();
      const first = work(
        open(),
        ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
        1,
        stop.signal,
      );
      const id = await submit('a');
      await expect.poll(async () => (await taskProgress(session, { path }))[0]?.attempt, wide).toBe(1);
      stop.abort(new DOMException('enough', 'AbortError'));
      await first;
      void work(open(), upper);
      expect((await taskResult(session, { path }, id, never())).done).toBe(true);
      await end();
    });

    it('keeps no more results than it may, and none for longer', async () => {
      const { session, path, lead, work, end, submit } = await list();
      void work(open(), upper, 4);
      const first = lead(open());
      const ids = [];
      for (let n = 0; n < 6; n++) ids.push(await submit(String(n)));
      for (const id of ids) await taskResult(session, { path }, id, never());
      const kept = async () => (await session.children(`${path}/results`))?.toSorted();
      expect(await kept()).toHaveLength(6);
      await first.leave();
      const second = lead(open(), { keep: { most: 2 } });
      await expect.poll(kept, wide).toHaveLength(2);
      await second.leave();
      lead(open(), { keep: { forMs: 1 } });
      await expect.poll(kept, wide).toEqual([]);
      await end();
    });

    const size = kit.name === 'real' ? 200 : 60;
    it(`keeps one result of each of ${size} tasks, while leaders and workers are killed fifty times`, async () => {
      const { session, path, lead, work, end, submit } = await list();
      const leaders = Array.from({ length: 5 }, open);
      const candidacies = leaders.map((each) => lead(each, { attempts: 1_000 }));
      const workers = Array.from({ length: 20 }, open);
      const slowly: PerformTask = async ({ data, attempt }) => {
        await clock.sleep(random() * 20);
        return bytes(`${data} ${attempt}`);
      };
      for (const each of workers) void work(each, slowly, 2);
      const ids: string[] = [];
      let kills = 0;
      const killing = (async () => {
        while (kills < 50) {
          const leading = candidacies.findIndex((each) => each.term !== undefined);
          const victim = kills % 5 === 0 ? leaders[leading] : workers[kills % workers.length];
          if (victim) await kit.expire(victim);
          if (victim) kills += 1;
          await clock.sleep(10);
        }
      })();
      for (let n = 0; n < size; n++) ids.push(await submit(String(n)));
      await killing;
      await expect.poll(async () => (await session.exists(`${path}/tasks`))?.numChildren, wide).toBe(0);
      await end();
      expect((await session.children(`${path}/results`))?.toSorted()).toEqual(ids.toSorted());
      expect(await session.children(`${path}/failed`)).toEqual([]);
      expect(await session.children(`${path}/claims`)).toEqual([]);
      const first = await taskResult(session, { path }, ids[0] as string, never());
      expect(String(first.data)).toMatch(/^0 \d+$/);
    });
  });
}
