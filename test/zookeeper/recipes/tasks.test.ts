import { describe, expect, it } from 'vitest';
import { planTasks, type TaskPicture } from '../../../zookeeper/recipes/task-plan.ts';
import { parseClaim, parseWorker } from '../../../zookeeper/recipes/tasks.ts';
import { fakeKit, realKit } from '../../support/zookeeper/kit.ts';
import { tasksSuite } from '../suites/tasks.ts';

describe('what the leader of tasks does next', () => {
  const worker = (capacity: number, ...tasks: string[]) => ({ capacity, tasks });
  const claim = (name: string | null, attempt: number) => ({ worker: name, attempt, progress: 'why' });
  const picture = (
    tasks: string[],
    workers: Record<string, ReturnType<typeof worker>>,
    claims: Record<string, ReturnType<typeof claim>> = {},
    stalled: string[] = [],
  ): TaskPicture => ({
    tasks,
    workers: new Map(Object.entries(workers)),
    claims: new Map(Object.entries(claims)),
    stalled: new Set(stalled),
  });
  const give = (to: string, tasks: string[], given: Record<string, number>) => ({
    move: 'give',
    worker: to,
    tasks,
    given: new Map(Object.entries(given)),
  });

  it.each<[string, TaskPicture, object[]]>([
    ['nothing without workers', picture(['a'], {}), []],
    ['nothing while all is given', picture(['a'], { w: worker(1, 'a') }, { a: claim('w', 1) }), []],
    [
      'the oldest to the one with most room',
      picture(['a', 'b', 'c'], { w: worker(1), v: worker(2) }),
      [give('w', ['b'], { b: 1 }), give('v', ['a', 'c'], { a: 1, c: 1 })],
    ],
    [
      'again where its worker is gone',
      picture(['a'], { w: worker(1) }, { a: claim('dead', 2) }),
      [give('w', ['a'], { a: 3 })],
    ],
    [
      'given up where that was the last try',
      picture(['a'], { w: worker(1) }, { a: claim(null, 3) }),
      [{ move: 'fail', task: 'a', attempts: 3, reason: 'why' }],
    ],
    [
      'a stalled one to another worker',
      picture(['a'], { w: worker(1, 'a'), v: worker(1) }, { a: claim('w', 1) }, ['a']),
      [give('w', [], {}), give('v', ['a'], { a: 2 })],
    ],
    [
      'a stalled one stays where no other has room',
      picture(['a'], { w: worker(1, 'a') }, { a: claim('w', 1) }, ['a']),
      [],
    ],
    ['what has ended off the list of its worker', picture([], { w: worker(1, 'a') }), [give('w', [], {})]],
    ['no more than a worker can take', picture(['a', 'b'], { w: worker(1, 'a') }, { a: claim('w', 1) }), []],
  ])('is %s', (_, seen, moves) => {
    expect(planTasks(seen, 3)).toEqual(moves);
  });

  it('reads anything as no claim and no worker', () => {
    for (const text of ['', 'null', '[]', '{', '{"worker":7,"attempt":"1","capacity":1.5,"tasks":[1]}']) {
      expect(parseClaim(Buffer.from(text))).toEqual({ worker: null, attempt: 0, progress: '' });
      expect(parseWorker(Buffer.from(text))).toEqual({ capacity: 0, tasks: [] });
    }
  });
});

describe('on a real server', () => tasksSuite(realKit()));
describe('on the fake server', () => tasksSuite(fakeKit()));
