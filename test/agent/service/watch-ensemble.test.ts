import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { watchEnsemble } from '../../../agent/service/watch-ensemble.ts';
import type { Logger } from '../../../runtime/log.ts';
import type { SessionState } from '../../../zookeeper/session.ts';
import { createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts';

const ALONE = 'zk3:2181 answers standalone';
let clock: VirtualClock;
let trouble: string | null;
let looks: number;
let logged: string[];
let connected: (state: SessionState) => void;

beforeEach(() => {
  clock = createVirtualClock();
  [trouble, looks, logged] = [null, 0, []];
});

function watch() {
  const write = (fields: object | string, words?: string) => logged.push(words ?? String(fields));
  const log = { info: write, warn: write } as unknown as Logger;
  const session = {
    onState(listener: (state: SessionState) => void) {
      connected = listener;
      return () => {};
    },
  };
  const look = async () => {
    looks += 1;
    return trouble;
  };
  const watched = watchEnsemble({ session, look, clock, random: () => 0.5, log });
  const stop = new AbortController();
  void watched.follow(stop.signal);
  onTestFinished(() => stop.abort());
  return watched;
}
const pass = (ms: number) => clock.run(clock.monotonic() + ms);

it('what lasts is logged once, and once more when it is over', async () => {
  const { trouble: told } = watch();
  trouble = ALONE;
  await pass(3_600_000);
  expect([logged.length, told()]).toEqual([1, ALONE]);
  expect(logged[0]).toContain('not one ensemble');
  trouble = null;
  await pass(3_600_000);
  expect([logged.length, told()]).toEqual([2, null]);
  expect(logged[1]).toContain('one ensemble again');
});

it('what an election of the servers shows for a moment is not logged', async () => {
  watch();
  trouble = 'no leader';
  await pass(6_000);
  trouble = null;
  await pass(3_600_000);
  expect([looks > 1, logged]).toEqual([true, []]);
});

it('the servers are asked soon after a reconnect, and else about every ten minutes', async () => {
  watch();
  await pass(1_800_000);
  expect([looks >= 3, looks <= 4]).toEqual([true, true]);
  const before = looks;
  connected('suspended');
  await pass(11_000);
  expect(looks).toBe(before);
  connected('connected');
  await pass(11_000);
  expect(looks).toBe(before + 1);
});
