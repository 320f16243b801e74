import { describe, expect, it } from 'vitest';
import { systemClock as clock } from '../../../runtime/clock.ts';
import { FleetError } from '../../../runtime/errors.ts';
import { followChildren, followNode } from '../../../zookeeper/recipes/follow-node.ts';
import { errorFor } from '../../../zookeeper/result-codes.ts';
import type { Session } from '../../../zookeeper/session.ts';
import { fakeKit } from '../../support/zookeeper/kit.ts';

const kit = fakeKit();
const wide = { timeout: 10_000 };

/** The waits of the retry loop are drawn as none, so that each failure is tried again at once. */
function follow(session: ReturnType<typeof kit.open>, path: string, signal: AbortSignal, read = textOf) {
  const seen: string[] = [];
  const parts = { session, path, clock, random: () => 0.001, log: session.told.log, failing: 'cannot read, retrying' };
  const ended = (async () => {
    for await (const text of followNode(parts, read, signal)) seen.push(text);
  })();
  return { seen, ended, parts };
}

/** As a watch ends where the node may not be read. */
const refused = (): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(errorFor(-102, { op: 'get', path: '/shut' })) }),
});

const textOf = (snapshot: { exists: boolean; data?: Buffer }): string => String(snapshot.data ?? 'none');
const warned = (session: ReturnType<typeof kit.open>) => session.told.lines.filter(({ level }) => level === 'warn');

describe('following a znode', () => {
  it('outlives a failure that ends a watch, says it once, and shows the node once it may be read', async () => {
    const session = kit.open(kit.connect());
    await session.create('/shut', Buffer.from('1'), 'persistent');
    let denied = 2;
    const refusing = new Proxy(session, {
      get: (of, name) => (name === 'watch' && denied-- > 0 ? () => refused() : Reflect.get(of, name, of)),
    });
    const stop = new AbortController();
    const { seen, ended } = follow(refusing, '/shut', stop.signal);
    await expect.poll(() => seen, wide).toEqual(['1']);
    expect(warned(session)).toMatchObject([{ msg: 'cannot read, retrying', path: '/shut', err: { code: 'NO_AUTH' } }]);
    stop.abort();
    await ended;
  });

  it('tries again where what is made of a state fails', async () => {
    const session = kit.open(kit.connect());
    await session.create('/judged', Buffer.from('1'), 'persistent');
    const stop = new AbortController();
    let failures = 2;
    const { seen, ended } = follow(session, '/judged', stop.signal, (snapshot) => {
      if (failures-- > 0) throw FleetError.of('DEADLINE', 'a second read got no answer');
      return textOf(snapshot);
    });
    await expect.poll(() => seen, wide).toEqual(['1']);
    expect(warned(session)).toHaveLength(1);
    stop.abort();
    await ended;
  });

  it('ends with its session, when we close it', async () => {
    const session = kit.open(kit.connect());
    const { seen, ended, parts } = follow(session, '/none', new AbortController().signal);
    const names = (async (of: Session) => {
      for await (const _ of followChildren({ ...parts, session: of }, (found) => found, new AbortController().signal));
    })(session);
    await expect.poll(() => seen, wide).toEqual(['none']);
    await session.close();
    await Promise.all([ended, names]);
  });
});
