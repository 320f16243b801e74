import { describe, expect, it } from 'vitest';
import { createSetBackWatch, lookAfterLosses } from '../../rollout/set-back.ts';
import { targetVersionOf } from '../../schemas/target-version.ts';
import type { TargetVersion } from '../../schemas/values.ts';
import type { NodeData, Session, SessionState } from '../../zookeeper/session.ts';

const version = (text: string) => text as TargetVersion;

it('knows the target that an ensemble shows right after it lost writes, and no later one', () => {
  let incarnation = 1;
  const watch = createSetBackWatch(
    () => incarnation,
    () => null,
  );
  expect(watch.look(version('9.900'))).toBe(false);
  incarnation = 2;
  expect(watch.look(version('5.500'))).toBe(true);
  expect(watch.look(version('5.500'))).toBe(true);
  expect(watch.look(version('6.950'))).toBe(false);
  expect(watch.look(version('5.500'))).toBe(false);
});

it('knows from its own agent, over a restart, that a target is older than what was accepted', () => {
  let accepted: string | null = null;
  const watch = createSetBackWatch(
    () => 1,
    () => accepted,
  );
  expect(watch.look(version('5.500'))).toBe(false);
  accepted = '9.900';
  expect(watch.look(version('5.500'))).toBe(true);
  // What a person publishes after it has an earlier place in the order of writes, and a later time.
  expect(watch.look(version('6.950'))).toBe(false);
  expect(watch.look(version('a.950'))).toBe(false);
  expect(watch.look(null)).toBe(false);
});

describe('an earlier state of the rollout', () => {
  const quiet = () =>
    createSetBackWatch(
      () => 1,
      () => null,
    );
  const state = (targetVersion: string, mzxid: bigint) => ({ targetVersion: version(targetVersion), mzxid });
  const [early, late] = [state('5.500', 7n), state('5.500', 9n)];

  it('of the same target is of before a loss, until there is another target', () => {
    const watch = quiet();
    watch.note(null, early);
    watch.note(watch.newest, late);
    expect(watch.look(version('5.500'))).toBe(false);
    watch.note(watch.newest, early);
    expect(watch.look(version('5.500'))).toBe(true);
    watch.note(watch.newest, state('6.950', 8n));
    expect(watch.look(version('6.950'))).toBe(false);
  });

  it('is none where it was asked for before the later one was known, nor where it is of another target', () => {
    const watch = quiet();
    const before = watch.newest;
    watch.note(before, late);
    watch.note(before, early);
    watch.note(watch.newest, state('4.400', 6n));
    expect(watch.look(version('5.500'))).toBe(false);
    expect(watch.look(version('4.400'))).toBe(false);
  });
});

describe('a candidate that does not lead', () => {
  /** The session of one process, whose ensemble holds `config` (mzxid and mtime), or none. */
  function standingBy() {
    const told = new Set<(state: SessionState) => void>();
    const server = { incarnation: 1, config: [9n, 900] as [bigint, number] | null, answers: true };
    const session: Pick<Session, 'onState' | 'get'> = {
      onState(listener) {
        told.add(listener);
        return () => told.delete(listener);
      },
      async get() {
        if (!server.answers) throw new Error('the connection is lost');
        const [mzxid, mtime] = server.config ?? [];
        return mzxid === undefined ? null : ({ data: Buffer.alloc(0), stat: { mzxid, mtime } } as NodeData);
      },
    };
    const watch = createSetBackWatch(
      () => server.incarnation,
      () => null,
    );
    const stop = lookAfterLosses(session, '/app/config', watch);
    const reconnect = async () => {
      for (const listener of told) listener('connected');
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { server, watch, stop, reconnect };
  }
  const old = targetVersionOf({ mzxid: 5n, mtime: 500 });
  const newer = targetVersionOf({ mzxid: 6n, mtime: 950 });

  it('does not suspect, when it leads, what was published after the loss', async () => {
    const { server, watch, reconnect } = standingBy();
    Object.assign(server, { incarnation: 2, config: [5n, 500] });
    await reconnect();
    expect(watch.look(newer)).toBe(false);
  });

  it('still suspects what config held right after the loss', async () => {
    const { server, watch, reconnect } = standingBy();
    Object.assign(server, { incarnation: 2, config: [5n, 500] });
    await reconnect();
    expect(watch.look(old)).toBe(true);
  });

  it('suspects nothing after a connection that lost no writes, nor what is published where config was gone', async () => {
    const { server, watch, reconnect } = standingBy();
    await reconnect();
    expect(watch.look(old)).toBe(false);
    Object.assign(server, { incarnation: 2, config: null });
    await reconnect();
    expect(watch.look(newer)).toBe(false);
  });

  it('looks again at the next connection where it got no answer, and not once it has left', async () => {
    const { server, watch, stop, reconnect } = standingBy();
    Object.assign(server, { incarnation: 2, config: [5n, 500], answers: false });
    await reconnect();
    expect(watch.isNews).toBe(true);
    server.answers = true;
    await reconnect();
    expect(watch.isNews).toBe(false);
    server.incarnation = 3;
    stop();
    await reconnect();
    expect(watch.isNews).toBe(true);
  });
});
